"""What a restart of ours would do besides: others' changes, and files that keep a server down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from llmtune.errors import TargetError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.live.pg_ctl import PgCtlRestarter
from llmtune.postgres.settings import SettingsApplier
from tests.postgres.live_server import address, entries, run

HARDWARE = Hardware(cores=2, memory=1 << 30)


@pytest.fixture(autouse=True)
def clean(server: EmbeddedTarget) -> Iterator[None]:
    yield
    run(server, "ALTER SYSTEM RESET ALL")
    server.restart()  # what once waited for a restart is called pending until one


def restartable(server: EmbeddedTarget) -> DsnTarget:
    return DsnTarget(address(server), HARDWARE, PgCtlRestarter(server.data_folder))


def whole(target: DsnTarget) -> KnobSpace:
    return target.tunable(resolve_space(load_catalogue(), target.version, HARDWARE))


@contextmanager
def line_in_the_files(server: EmbeddedTarget, line: str) -> Iterator[None]:
    file = server.data_folder / "postgresql.conf"
    before = file.read_bytes()
    file.write_bytes(before + line.encode() + b"\n")
    try:
        yield
    finally:
        file.write_bytes(before)


def wait_for_a_restart(server: EmbeddedTarget) -> None:
    """As an owner leaves it for tonight: a library that is not there would keep it down."""
    run(server, "ALTER SYSTEM SET shared_preload_libraries = 'not_there_yet'")
    run(server, "SELECT pg_reload_conf()", "SELECT pg_sleep(0.2)")


def test_what_waits_for_a_restart_before_we_come_keeps_restarts_out(
    server: EmbeddedTarget,
) -> None:
    wait_for_a_restart(server)
    with restartable(server) as target:
        (buffers,) = [one for one in target.report.reaches if one.name == "shared_buffers"]
        assert "what waits for one (shared_preload_libraries)" in buffers.obstacle
        assert "work_mem" in target.report.reachable


def test_what_somebody_changes_meanwhile_is_not_put_in_force(server: EmbeddedTarget) -> None:
    with restartable(server) as target:
        space, before = whole(target), target.report.started
        applier = SettingsApplier(target, space)
        wait_for_a_restart(server)
        with pytest.raises(TargetError, match=r"somebody else has changed \(shared_preload_lib"):
            applier.apply(space.configuration({"shared_buffers": 32768}))
        run(server, "ALTER SYSTEM RESET shared_preload_libraries")
        target.recover()
        assert target.inspect().started == before, "it was never restarted"
    assert entries(server) == []


@pytest.mark.parametrize("line", ["no_such_setting = 1", "checkpoint_timeout = never"])
def test_a_line_that_would_keep_the_server_down_keeps_it_up(
    server: EmbeddedTarget, line: str
) -> None:
    refused = pytest.raises(TargetError, match=r"would not start again: .*postgresql.conf, line")
    with restartable(server) as target:
        with line_in_the_files(server, line), refused:
            target.restart()
        assert target.inspect().started


def test_our_own_restarts_are_no_side_effect(server: EmbeddedTarget) -> None:
    with restartable(server) as target:
        space = whole(target)
        applier = SettingsApplier(target, space)
        assert applier.apply(space.configuration({"shared_buffers": 32768})).restarted
        assert applier.apply(space.configuration({"shared_buffers": 16384})).restarted


def test_behind_a_line_that_cannot_be_read_no_entry_is_taken_for_none(
    server: EmbeddedTarget,
) -> None:
    """The server looks no further there, and an owner's entry would seem not to be."""
    run(server, "ALTER SYSTEM SET max_wal_size = '8GB'", "SELECT pg_reload_conf()")
    refused = pytest.raises(TargetError, match=r"postgresql.conf, line \d+: syntax error; mend")
    with line_in_the_files(server, "work_mem = = 4MB"), refused, restartable(server):
        pass
    assert entries(server) == ["max_wal_size = '8GB'"]
