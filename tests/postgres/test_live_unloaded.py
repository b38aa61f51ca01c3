"""What others wrote to the configuration files and have not loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from llmtune.cli.server_report import summary
from llmtune.errors import TargetError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.server_settings import reload_settings
from llmtune.postgres.settings import SettingsApplier
from tests.postgres.live_server import address, drop_role, new_role, run, shown

HARDWARE = Hardware(cores=2, memory=1 << 30)
SPELLINGS = {
    "checkpoint_timeout": "0.2h",
    "max_wal_size": "1.5GB",
    "log_checkpoints": "fals",
    "wal_compression": "on",
    "wal_buffers": "-1",
    "random_page_cost": "2.50",
    "autovacuum_vacuum_cost_delay": "3000us",
    "log_file_mode": "0640",
    "archive_command": "cp %p /nowhere",
    "DateStyle": "ISO, ymd",
    "deadlock_timeout": "2000",
}
"""Values as people write them, which the server shows otherwise."""


@pytest.fixture
def server(embedded: EmbeddedTarget) -> Iterator[EmbeddedTarget]:
    yield embedded
    load(embedded, "ALTER SYSTEM RESET ALL")
    embedded.recover()


def load(server: EmbeddedTarget, *statements: str) -> None:
    run(server, *statements)
    with server.connect() as connection:
        reload_settings(connection)


def target_of(server: EmbeddedTarget, user: str = "postgres") -> DsnTarget:
    return DsnTarget(address(server, user), HARDWARE)


def unloaded(server: EmbeddedTarget, user: str = "postgres") -> list[str]:
    return [one.name for one in target_of(server, user).inspect().unloaded]


def space_of(target: DsnTarget, *names: str) -> KnobSpace:
    return target.tunable(resolve_space(load_catalogue(), target.version, HARDWARE, names))


def test_what_is_loaded_is_recognised_however_it_is_written(server: EmbeddedTarget) -> None:
    assert unloaded(server) == []
    run(server, *(f"ALTER SYSTEM SET {name} = '{text}'" for name, text in SPELLINGS.items()))
    assert set(unloaded(server)) == set(SPELLINGS) - {"wal_buffers"}, "which is asked for anyway"
    load(server)
    assert unloaded(server) == []
    run(server, *(f"ALTER SYSTEM RESET {name}" for name in SPELLINGS))
    assert set(SPELLINGS) - {"wal_buffers"} <= set(unloaded(server)), "a line that is gone counts"


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("wal_compression", "pglz", "off"),
        ("log_checkpoints", "on", "no"),
        ("max_wal_size", "2GB", "2049MB"),
        ("autovacuum_vacuum_cost_delay", "3ms", "3.5ms"),
        ("shared_buffers", "128MB", "64MB"),
    ],
)
def test_another_value_in_the_same_line_is_seen(
    server: EmbeddedTarget, name: str, first: str, second: str
) -> None:
    load(server, f"ALTER SYSTEM SET {name} = '{first}'")
    assert unloaded(server) == []
    run(server, f"ALTER SYSTEM SET {name} = '{second}'")
    assert unloaded(server) == [name]


def test_a_knob_that_the_files_have_otherwise_is_not_tuned(server: EmbeddedTarget) -> None:
    run(server, "ALTER SYSTEM SET checkpoint_timeout = '30min'")
    with target_of(server) as target:
        (problem,) = target.report.problems
        assert re.search(r"checkpoint_timeout \(.*auto.conf, line \d+\)", problem)
        with pytest.raises(TargetError) as refused:
            SettingsApplier(target, space_of(target, "checkpoint_timeout", "work_mem"))
        assert str(refused.value) == problem
        assert shown(server, "checkpoint_timeout") == "5min"
        SettingsApplier(target, space_of(target, "work_mem"))  # takes no reload
    load(server)
    with target_of(server) as target:
        SettingsApplier(target, space_of(target, "checkpoint_timeout"))


def test_what_is_not_tuned_is_named_and_loaded(server: EmbeddedTarget) -> None:
    run(server, "ALTER SYSTEM SET deadlock_timeout = '3s'")
    with target_of(server) as target:
        assert target.report.problems == ()
        (told,) = (line for line in summary(target.report) if line.startswith("Edited but not"))
        assert "deadlock_timeout (" in told
        space = space_of(target, "checkpoint_timeout")
        SettingsApplier(target, space).apply(space.configuration({"checkpoint_timeout": 900}))
    assert shown(server, "deadlock_timeout") == "3s"


def test_a_secret_in_the_files_is_not_told(server: EmbeddedTarget) -> None:
    run(server, "ALTER SYSTEM SET primary_conninfo = 'host=x password=hunter2'")
    report = target_of(server).inspect()
    assert [one.name for one in report.unloaded] == ["primary_conninfo"]
    assert "hunter2" not in repr(report)


def test_a_role_that_may_not_read_the_files_is_told_nothing(server: EmbeddedTarget) -> None:
    run(server, "ALTER SYSTEM SET checkpoint_timeout = '30min'")
    new_role(server, "plain", "GRANT pg_read_all_settings TO plain")
    try:
        assert unloaded(server, "plain") == []
    finally:
        drop_role(server, "plain")
