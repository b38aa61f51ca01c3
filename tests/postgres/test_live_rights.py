"""Roles with more and less rights, on this PostgreSQL and on an installed one if there is one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from llmtune.errors import TargetError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.knob import Effect
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.binaries import find_binaries
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.settings import SettingsApplier
from tests.postgres.live_server import (
    address,
    drop_role,
    entries,
    grant_alter_system,
    new_role,
    run,
    shown,
)

HARDWARE = Hardware(cores=2, memory=1 << 30)
LEAST = (
    "GRANT pg_read_all_stats, pg_read_all_settings TO tuner",
    "GRANT EXECUTE ON FUNCTION pg_reload_conf() TO tuner",
)


def installed() -> list[Path]:
    """The folder of a PostgreSQL with parameter grants beside our own, if this machine has one."""
    program = which("pg_config")
    if program is None:
        return []
    told = subprocess.run([program, "--bindir"], capture_output=True, text=True, check=True)
    folder = Path(told.stdout.strip())
    there = (folder / "postgres").exists() and find_binaries(folder).major >= 15
    return [folder] if there else []


SERVERS = [None, *installed()]


@pytest.fixture(scope="module", params=SERVERS, ids=lambda folder: str(folder or "embedded"))
def server(request: pytest.FixtureRequest, cache: Path) -> Iterator[EmbeddedTarget]:
    binaries = None if request.param is None else find_binaries(request.param)
    with EmbeddedTarget(binaries, cache=cache) as target:
        yield target


@pytest.fixture
def tuner(server: EmbeddedTarget) -> Iterator[str]:
    """The role with the least rights that reach every knob but those that take a restart."""
    new_role(server, "tuner", *LEAST)
    space = whole(server)
    grant_alter_system(
        server, "tuner", [knob.name for knob in space.knobs if knob.effect is not Effect.SESSION]
    )
    yield address(server, "tuner")
    drop_role(server, "tuner")
    server.recover()


def whole(server: EmbeddedTarget) -> KnobSpace:
    return resolve_space(load_catalogue(), server.version, HARDWARE)


def test_the_least_rights_tune_every_knob_that_needs_no_restart(
    server: EmbeddedTarget, tuner: str
) -> None:
    run(server, "ALTER SYSTEM SET checkpoint_timeout = '7min'", "SELECT pg_reload_conf()")
    with DsnTarget(tuner, HARDWARE) as target:
        rights = target.report.rights
        assert (rights.superuser, rights.reads_files, rights.reloads) == (False, False, True)
        space = target.tunable(whole(server))
        assert space.names == tuple(
            knob.name for knob in whole(server).knobs if knob.effect is not Effect.RESTART
        )
        assert space.baseline()["checkpoint_timeout"] == 420
        applier = SettingsApplier(target, space)
        changes = {"checkpoint_timeout": 900, "max_wal_size": 2048, "work_mem": 8192}
        assert applier.apply(space.configuration(changes)).session["work_mem"] == "8192"
        assert (shown(server, "checkpoint_timeout"), shown(server, "max_wal_size")) == (
            "15min",
            "2GB",
        )
    assert (shown(server, "checkpoint_timeout"), shown(server, "max_wal_size")) == ("7min", "1GB")
    # Without pg_file_settings the owner's text is not seen, only its value in seconds.
    assert entries(server) == ["checkpoint_timeout = '420'"]


def test_where_settings_come_from_is_seen_with_that_role(
    server: EmbeddedTarget, tuner: str
) -> None:
    run(server, "ALTER SYSTEM SET max_wal_size = '3GB'", "SELECT pg_reload_conf()")
    report = DsnTarget(tuner, HARDWARE).inspect()
    origin = next(one.origin for one in report.settings if one.name == "max_wal_size")
    assert origin.startswith("ALTER SYSTEM: ")
    assert origin.endswith("postgresql.auto.conf, line 3")


def test_only_granted_knobs_are_tuned(server: EmbeddedTarget) -> None:
    new_role(server, "tuner", *LEAST)
    grant_alter_system(server, "tuner", ["max_wal_size"])
    with DsnTarget(address(server, "tuner"), HARDWARE) as target:
        by_system = [
            knob.name
            for knob in target.tunable(whole(server)).knobs
            if knob.effect is not Effect.SESSION
        ]
        left = {one.name: one.obstacle for one in target.report.reaches}
    drop_role(server, "tuner")
    assert by_system == ["max_wal_size"]
    assert left["min_wal_size"] == 'GRANT ALTER SYSTEM ON PARAMETER min_wal_size TO "tuner"'


def test_without_the_right_to_reload_nothing_is_altered(server: EmbeddedTarget) -> None:
    new_role(server, "tuner")
    grant_alter_system(server, "tuner", ["max_wal_size"])
    with DsnTarget(address(server, "tuner"), HARDWARE) as target:
        assert "max_wal_size" not in target.tunable(whole(server))
        assert "work_mem" in target.tunable(whole(server))
    drop_role(server, "tuner")
    assert entries(server) == []


def test_a_role_that_reaches_nothing_of_the_space_is_refused(server: EmbeddedTarget) -> None:
    new_role(server, "plain")
    with DsnTarget(address(server, "plain"), HARDWARE) as target:
        few = whole(server).subset(["max_wal_size", "shared_buffers"])
        with pytest.raises(TargetError, match="plain can change none of the knobs"):
            target.tunable(few)
    drop_role(server, "plain")
