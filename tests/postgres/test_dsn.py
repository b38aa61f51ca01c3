"""A server that is not ours, reached through its address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llmtune.errors import ConnectionFailed, LoginRefused, TargetError, UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.settings import SettingsApplier

HARDWARE = Hardware(cores=2, memory=1 << 30)


@pytest.fixture
def dsn(embedded: EmbeddedTarget) -> Iterator[str]:
    """The embedded server's address, with one ALTER SYSTEM entry of its owner's."""
    with embedded.connect() as connection:
        row = connection.execute("SHOW unix_socket_directories").fetchone()
        assert row is not None
        connection.execute("ALTER SYSTEM SET checkpoint_timeout = '7min'")
        connection.execute("SELECT pg_reload_conf()")
    yield f"host={row[0]} port=5432 user=postgres password=hunter2 dbname=postgres"
    embedded.recover()


def show(target: DsnTarget | EmbeddedTarget, name: str) -> str:
    with target.connect() as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def entries(target: EmbeddedTarget) -> list[str]:
    lines = (target.data_folder / "postgresql.auto.conf").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_tells_version_hardware_and_that_it_cannot_restart(dsn: str) -> None:
    with DsnTarget(dsn, HARDWARE) as target:
        assert (target.version, target.hardware) == (18, HARDWARE)
        assert not target.can_restart
        with pytest.raises(TargetError, match="cannot be restarted"):
            target.restart()


def test_leaving_puts_the_owners_settings_back(dsn: str, embedded: EmbeddedTarget) -> None:
    with DsnTarget(dsn, HARDWARE) as target:
        space = resolve_space(load_catalogue(), target.version, HARDWARE)
        changes = {"checkpoint_timeout": 900, "max_wal_size": 2048, "work_mem": 8192}
        applied = SettingsApplier(target, space).apply(space.configuration(changes))
        assert applied.session["work_mem"] == "8192"
        assert (show(target, "checkpoint_timeout"), show(target, "max_wal_size")) == (
            "15min",
            "2GB",
        )
    assert entries(embedded) == ["checkpoint_timeout = '7min'"]


def test_what_others_set_meanwhile_stays(dsn: str, embedded: EmbeddedTarget) -> None:
    def alter(setting: str) -> None:
        with embedded.connect() as connection:
            connection.execute(f"ALTER SYSTEM SET {setting}".encode())
            connection.execute("SELECT pg_reload_conf()")

    with DsnTarget(dsn, HARDWARE) as target:
        space = resolve_space(load_catalogue(), target.version, HARDWARE)
        applier = SettingsApplier(target, space)
        applier.apply(space.configuration({"checkpoint_timeout": 900}))
        alter("max_wal_size = '3GB'")
        target.recover()
        assert sorted(entries(embedded)) == ["checkpoint_timeout = '7min'", "max_wal_size = '3GB'"]
        alter("checkpoint_timeout = '9min'")
    assert sorted(entries(embedded)) == ["checkpoint_timeout = '9min'", "max_wal_size = '3GB'"]


def test_the_default_is_set_where_the_owner_had_another_value(dsn: str) -> None:
    with DsnTarget(dsn, HARDWARE) as target:
        space = target.tunable(resolve_space(load_catalogue(), target.version, HARDWARE))
        applier = SettingsApplier(target, space)
        applier.apply(space.default())
        assert show(target, "checkpoint_timeout") == "5min"
        applier.apply(space.baseline())
        assert show(target, "checkpoint_timeout") == "7min"


def test_a_knob_that_needs_a_restart_is_refused_before_anything_changes(
    dsn: str, embedded: EmbeddedTarget
) -> None:
    with DsnTarget(dsn, HARDWARE) as target:
        space = resolve_space(load_catalogue(), target.version, HARDWARE)
        changes = {"shared_buffers": 8192, "max_wal_size": 2048}
        with pytest.raises(TargetError, match="shared_buffers would need a restart"):
            SettingsApplier(target, space).apply(space.configuration(changes))
        assert entries(embedded) == ["checkpoint_timeout = '7min'"]


def test_a_login_without_alter_system_can_tune_session_knobs(
    dsn: str, embedded: EmbeddedTarget
) -> None:
    with embedded.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS plain")
        connection.execute("CREATE ROLE plain LOGIN")
    with DsnTarget(dsn.replace("user=postgres", "user=plain"), HARDWARE) as target:
        space = resolve_space(load_catalogue(), target.version, HARDWARE)
        with pytest.raises(TargetError, match="may not use ALTER SYSTEM"):
            SettingsApplier(target, space)
        few = space.subset(["work_mem"])
        applied = SettingsApplier(target, few).apply(few.configuration({"work_mem": 8192}))
        assert applied.session == {"work_mem": "8192"}


def test_what_another_database_has_of_its_own_does_not_count_there(
    dsn: str, embedded: EmbeddedTarget
) -> None:
    with embedded.connect() as connection:
        connection.execute("CREATE DATABASE shop")
        connection.execute("ALTER DATABASE shop SET work_mem = '12MB'")
    try:
        with DsnTarget(dsn, HARDWARE) as target:
            space = resolve_space(load_catalogue(), target.version, HARDWARE, ["work_mem"])
            applied = SettingsApplier(target, space, database="shop").apply(space.default())
            for settings, shown in ((applied.session, "4MB"), ({}, "12MB")):
                with target.connect("shop", settings) as session:
                    assert session.execute("SHOW work_mem").fetchone() == (shown,)
    finally:
        with embedded.connect() as connection:
            connection.execute("DROP DATABASE shop WITH (FORCE)")


@pytest.mark.parametrize(
    ("dsn", "name"),
    [
        ("postgresql://ann:hunter2@db.example:5433/shop", "postgresql://ann@db.example:5433/shop"),
        ("postgresql://ann@/shop?password=hunter2", "postgresql://ann@/shop"),
        ("host=db.example user=ann password=hunter2", "postgresql://ann@db.example:5432/"),
    ],
)
def test_the_name_has_no_password(dsn: str, name: str) -> None:
    assert DsnTarget(dsn, HARDWARE).name == name


@pytest.mark.parametrize(
    "dsn",
    ["postgresql://ann:hunter2@127.0.0.1:1/shop", "host=/nowhere user=ann password=hunter2"],
)
def test_nothing_answers(dsn: str) -> None:
    with pytest.raises(ConnectionFailed, match="cannot connect") as failure:
        DsnTarget(dsn, HARDWARE).__enter__()
    assert "hunter2" not in str(failure.value)


@pytest.mark.parametrize("change", ["user=nosuch", "dbname=nosuch", "sslmode=nosuch"])
def test_a_login_that_is_refused_is_told_from_a_server_that_is_away(dsn: str, change: str) -> None:
    with pytest.raises(LoginRefused, match="nosuch"):
        DsnTarget(f"{dsn} {change}", HARDWARE).connect()
    with pytest.raises(ConnectionFailed) as failure:
        DsnTarget(f"{dsn} port=1 {change.replace('sslmode', 'dbname')}", HARDWARE).connect()
    assert not isinstance(failure.value, LoginRefused)


@pytest.mark.parametrize("dsn", ["password=hunter2 hunter2", "postgresql://ann:hunter2@[::1/shop"])
def test_an_unreadable_address_is_not_repeated(dsn: str) -> None:
    with pytest.raises(UsageError, match="not a valid PostgreSQL") as failure:
        DsnTarget(dsn, HARDWARE)
    assert "hunter2" not in str(failure.value)


def test_a_target_that_was_not_entered_has_no_version() -> None:
    with pytest.raises(TargetError, match="not connected"):
        _ = DsnTarget("host=db.example", HARDWARE).version
