"""Restarting a server that is not ours, and getting it back when it does not start."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llmtune.cli.targets import live_target
from llmtune.errors import (
    ConnectionFailed,
    LoginRefused,
    ServerDidNotStart,
    TargetError,
    UsageError,
)
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.live.auto_conf_file import FolderFile
from llmtune.postgres.live.pg_ctl import PgCtlRestarter
from llmtune.postgres.live.restarter import FakeRestarter
from llmtune.postgres.live.waiting import Patience
from llmtune.postgres.settings import SettingsApplier
from llmtune.tuning.requests import TargetRequest
from tests.postgres.live_server import address, entries, run, shown

HARDWARE = Hardware(cores=2, memory=1 << 30)
IMPOSSIBLE = "8000GB"
"""Of shared memory: more than any machine has."""


@pytest.fixture(autouse=True)
def clean(server: EmbeddedTarget) -> Iterator[None]:
    run(server, "ALTER SYSTEM SET checkpoint_timeout = '7min'", "SELECT pg_reload_conf()")
    yield
    server.recover()


def whole(target: DsnTarget) -> KnobSpace:
    return target.tunable(resolve_space(load_catalogue(), target.version, HARDWARE))


def test_pg_ctl_restarts_and_leaving_restarts_back(server: EmbeddedTarget) -> None:
    with DsnTarget(address(server), HARDWARE, PgCtlRestarter(server.data_folder)) as target:
        assert target.can_restart
        space = whole(target)
        applier = SettingsApplier(target, space)
        assert applier.apply(space.configuration({"shared_buffers": 32768})).restarted
        assert shown(server, "shared_buffers") == "256MB"
        assert 0 < target.restart_seconds < 60
    assert shown(server, "shared_buffers") == "128MB"
    assert entries(server) == ["checkpoint_timeout = '7min'"]


def environment(server: EmbeddedTarget) -> set[str]:
    """Of the server's own, as a program that it starts has it."""
    with server.connect() as connection:
        connection.execute("CREATE TEMP TABLE said (line text)")
        plain = "(FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
        connection.execute(f"COPY said FROM PROGRAM 'env' {plain}".encode())
        lines = {row[0] for row in connection.execute("SELECT line FROM said")}
    return {line for line in lines if not line.startswith("PG_GRANDPARENT_PID=")}


def test_a_server_is_started_with_its_own_environment_and_not_with_ours(
    server: EmbeddedTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = environment(server)
    for name, text in {"PGPORT": "5433", "PGCLIENTENCODING": "LATIN1", "HOME": "/nowhere"}.items():
        monkeypatch.setenv(name, text)
    with DsnTarget(address(server), HARDWARE, PgCtlRestarter(server.data_folder)) as target:
        target.restart()
    assert environment(server) == before


def unstartable(server: EmbeddedTarget, target: DsnTarget) -> None:
    """What no guard of ours would let through: the server refuses to start with it."""
    target.note_entries({"shared_buffers": (None, IMPOSSIBLE)})
    run(server, f"ALTER SYSTEM SET shared_buffers = '{IMPOSSIBLE}'")
    with pytest.raises(ServerDidNotStart, match="did not restart") as failure:
        target.restart()
    assert "FATAL" in failure.value.log


def test_a_server_that_does_not_start_is_mended_in_its_file(server: EmbeddedTarget) -> None:
    with DsnTarget(address(server), HARDWARE, PgCtlRestarter(server.data_folder)) as target:
        unstartable(server, target)
        target.recover()
        assert shown(server, "shared_buffers") == "128MB"
    assert entries(server) == ["checkpoint_timeout = '7min'"]


def test_a_command_is_enough_where_the_data_folder_is_on_this_machine(
    server: EmbeddedTarget,
) -> None:
    inner = PgCtlRestarter(server.data_folder)
    fake = FakeRestarter(inner.restart)
    with DsnTarget(address(server), HARDWARE, fake) as target:
        unstartable(server, target)
        target.recover()
    assert fake.restarts == 2
    assert shown(server, "shared_buffers") == "128MB"


def go_away(server: EmbeddedTarget) -> None:
    """As when it is killed: nobody tells us, and nobody starts it again."""
    running = server.data_folder / "postmaster.pid"
    os.kill(int(running.read_text().split()[0]), signal.SIGQUIT)
    while running.exists():
        time.sleep(0.01)


def test_a_server_that_went_away_by_itself_is_mended_and_started(server: EmbeddedTarget) -> None:
    way, impatient = PgCtlRestarter(server.data_folder), Patience(recovery_s=0.2)
    with DsnTarget(address(server), HARDWARE, way, patience=impatient) as target:
        space = whole(target)
        SettingsApplier(target, space).apply(space.configuration({"max_wal_size": 2048}))
        go_away(server)
        target.recover()
        assert shown(server, "max_wal_size") == "1GB"
    assert entries(server) == ["checkpoint_timeout = '7min'"]


class Remote(DsnTarget):
    """Its folder cannot be looked into, as on another machine."""

    data_folder = None


def test_out_of_reach_the_lines_of_a_server_that_went_away_are_named(
    server: EmbeddedTarget,
) -> None:
    inner, impatient = PgCtlRestarter(server.data_folder), Patience(recovery_s=0.2)
    way = FakeRestarter(inner.restart)
    target = Remote(address(server), HARDWARE, way, patience=impatient).__enter__()
    space = whole(target)
    applier = SettingsApplier(target, space)
    for megabytes in (3072, 2048):
        applier.apply(space.configuration({"max_wal_size": megabytes}))
    go_away(server)
    with pytest.raises(ServerDidNotStart, match=r"remove the lines max_wal_size = '2048',"):
        target.recover()
    assert way.restarts == 0
    FolderFile(server.data_folder).write(b"checkpoint_timeout = '7min'\n")
    inner.restart()
    target.recover()


def test_out_of_reach_a_server_with_nothing_of_ours_is_just_started(
    server: EmbeddedTarget,
) -> None:
    way = FakeRestarter(PgCtlRestarter(server.data_folder).restart)
    with Remote(address(server), HARDWARE, way, patience=Patience(recovery_s=0.2)) as target:
        go_away(server)
        target.recover()
    assert way.restarts == 1
    assert entries(server) == ["checkpoint_timeout = '7min'"]


def test_out_of_reach_the_lines_to_remove_are_named(server: EmbeddedTarget) -> None:
    inner = PgCtlRestarter(server.data_folder)
    target = Remote(address(server), HARDWARE, FakeRestarter(inner.restart)).__enter__()
    target.note_entries({"max_wal_size": (None, "3GB")})
    run(server, "ALTER SYSTEM SET max_wal_size = '3GB'", "ALTER SYSTEM SET min_wal_size = '1GB'")
    unstartable(server, target)
    with pytest.raises(ServerDidNotStart) as failure:
        target.recover()
    said = str(failure.value)
    assert f"shared_buffers = '{IMPOSSIBLE}'" in said
    assert "max_wal_size = '3GB'" in said
    assert "checkpoint_timeout" not in said
    assert "min_wal_size" not in said, "somebody else set it"
    FolderFile(server.data_folder).write(b"checkpoint_timeout = '7min'\n")
    inner.restart()
    assert shown(server, "checkpoint_timeout") == "7min"


def test_a_refused_login_is_no_reason_to_restart(server: EmbeddedTarget) -> None:
    run(server, "CREATE ROLE boss LOGIN SUPERUSER")
    fake = FakeRestarter(lambda: None, FolderFile(server.data_folder))
    dsn = address(server, "boss")
    try:
        with DsnTarget(dsn, HARDWARE, fake, patience=Patience(recovery_s=0.0)) as target:
            space = whole(target)
            SettingsApplier(target, space).apply(space.configuration({"max_wal_size": 2048}))
            left = entries(server)
            run(server, "ALTER ROLE boss NOLOGIN")
            with pytest.raises(LoginRefused, match="not permitted to log in"):
                target.recover()
            assert (entries(server), fake.restarts) == (left, 0)
            run(server, "ALTER ROLE boss LOGIN")
        assert entries(server) == ["checkpoint_timeout = '7min'"]
    finally:
        run(server, "DROP ROLE boss")


def test_a_server_that_shuts_down_refuses_nobody_in_particular(server: EmbeddedTarget) -> None:
    postmaster = int((server.data_folder / "postmaster.pid").read_text().split()[0])
    with server.connect():  # which it waits for
        os.kill(postmaster, signal.SIGTERM)
        with pytest.raises(ConnectionFailed, match="shutting down") as failure:
            connect_until_refused(DsnTarget(address(server), HARDWARE))
    assert not isinstance(failure.value, LoginRefused)


def connect_until_refused(target: DsnTarget) -> None:
    for _ in range(500):
        target.connect().close()
        time.sleep(0.01)


@contextmanager
def unwritable(server: EmbeddedTarget) -> Iterator[None]:
    """A page waits to be written into a file that is not there."""
    run(server, "CREATE TABLE ledger AS SELECT 1 AS line", "CHECKPOINT")
    with server.connect() as connection:
        row = connection.execute("SELECT pg_relation_filepath('ledger')").fetchone()
        assert row is not None
        file = server.data_folder / row[0]
        connection.execute("INSERT INTO ledger VALUES (2)")
        away = file.rename(file.with_name("away"))
        try:
            yield
        finally:
            away.rename(file)
    run(server, "DROP TABLE ledger")


def test_a_server_that_cannot_write_a_checkpoint_is_not_restarted(server: EmbeddedTarget) -> None:
    fake = FakeRestarter(lambda: None)
    with DsnTarget(address(server), HARDWARE, fake) as target:
        with unwritable(server), pytest.raises(TargetError, match="cannot write a checkpoint, so"):
            target.restart()
        assert fake.restarts == 0


def test_a_restart_that_restarts_nothing_is_noticed(server: EmbeddedTarget) -> None:
    with DsnTarget(
        address(server), HARDWARE, FakeRestarter(lambda: None), patience=Patience(start_s=0.2)
    ) as target:
        with pytest.raises(ServerDidNotStart, match="runs on as before") as failure:
            target.restart()
        assert "the fake's log" in failure.value.log
        target.recover()


def test_another_servers_folder_is_refused(
    server: EmbeddedTarget, embedded: EmbeddedTarget
) -> None:
    with pytest.raises(UsageError, match="does not run in"):
        DsnTarget(address(server), HARDWARE, PgCtlRestarter(embedded.data_folder)).__enter__()


def test_a_folder_without_a_server_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not the data folder of a server that ran"):
        PgCtlRestarter(tmp_path)


def test_without_a_way_nothing_is_restarted(server: EmbeddedTarget) -> None:
    target = live_target(TargetRequest(address(server), cores=2, memory="1GB"))
    with target, pytest.raises(TargetError, match="--restart-unit"):
        target.restart()


def test_what_a_role_is_given_meanwhile_restarts_nothing(server: EmbeddedTarget) -> None:
    fake = FakeRestarter(lambda: None)
    with DsnTarget(address(server), HARDWARE, fake):
        run(server, "ALTER ROLE postgres SET work_mem = '1MB'")
    run(server, "ALTER ROLE postgres RESET work_mem")
    assert fake.restarts == 0
