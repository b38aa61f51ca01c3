"""What a server tells before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmtune.errors import TargetError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware, detect_hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.live.in_use import InUse, read_in_use
from llmtune.postgres.live.machine import Stated, process_here, seen_hardware
from llmtune.postgres.live.restarter import FakeRestarter
from llmtune.postgres.session import LIMITS
from llmtune.postgres.settings import SettingsApplier
from tests.postgres.live_server import (
    address,
    drop_role,
    entries,
    new_role,
    run,
    shown,
    socket_of,
    standby,
)

HARDWARE = Hardware(cores=2, memory=1 << 30)


@pytest.fixture
def server(embedded: EmbeddedTarget) -> Iterator[EmbeddedTarget]:
    yield embedded
    run(embedded, "ALTER ROLE postgres RESET ALL", "ALTER DATABASE postgres RESET ALL")
    embedded.recover()


def whole(target: DsnTarget) -> KnobSpace:
    return resolve_space(load_catalogue(), target.version, HARDWARE)


def test_the_report_of_a_server_of_ones_own(server: EmbeddedTarget) -> None:
    report = DsnTarget(address(server), HARDWARE).inspect()
    assert report.name == f"postgresql://postgres@/postgres?host={socket_of(server)}&port=5432"
    assert (report.version, report.standby, report.provider, report.here) == (18, False, None, True)
    assert (report.rights.role, report.rights.superuser) == ("postgres", True)
    assert report.in_use.connections >= 1
    assert report.problems == ()


def test_the_baseline_changes_nothing(server: EmbeddedTarget) -> None:
    run(
        server,
        "ALTER SYSTEM SET max_wal_size = '3GB'",
        "ALTER SYSTEM SET work_mem = '900GB'",
        "SELECT pg_reload_conf()",
    )
    with DsnTarget(address(server), HARDWARE) as target:
        space = target.tunable(whole(target))
        baseline = space.baseline()
        assert (baseline["max_wal_size"], baseline["work_mem"]) == (3072, 900 << 20)
        before = entries(server)
        applied = SettingsApplier(target, space).apply(baseline)
        assert (applied.session["work_mem"], applied.restarted) == (str(900 << 20), False)
        assert entries(server) == before


def test_settings_that_outrank_alter_system_are_named_and_left_out(server: EmbeddedTarget) -> None:
    run(
        server,
        "ALTER ROLE postgres SET work_mem = '1MB'",
        "ALTER DATABASE postgres SET maintenance_work_mem = '96MB'",
    )
    with DsnTarget(address(server), HARDWARE) as target:
        report, space = target.report, target.tunable(whole(target))
        assert "maintenance_work_mem" not in space
        assert space.baseline()["work_mem"] == 1024
        assert [one.statement for one in report.masked] == [
            "ALTER ROLE \"postgres\" SET work_mem = '1MB'"
        ]
        reaches = {one.name: one.obstacle for one in report.reaches}
        assert "ALTER DATABASE" in reaches["maintenance_work_mem"]
        few = space.subset(["work_mem"])
        SettingsApplier(target, few).apply(few.configuration({"work_mem": 8192}))


def test_other_roles_settings_are_named_but_do_not_apply(server: EmbeddedTarget) -> None:
    run(server, "CREATE ROLE app LOGIN", "ALTER ROLE app SET work_mem = '2MB'")
    report = DsnTarget(address(server), HARDWARE).inspect()
    run(server, "DROP ROLE app")
    assert [(one.role, one.applies) for one in report.overrides] == [("app", False)]


def test_a_role_may_have_any_name(server: EmbeddedTarget) -> None:
    run(server, 'CREATE ROLE "Me@Corp" LOGIN', "ALTER ROLE \"Me@Corp\" SET work_mem = '2MB'")
    try:
        report = DsnTarget(address(server, "Me@Corp"), HARDWARE).inspect()
        grant = next(one.obstacle for one in report.reaches if one.name == "max_wal_size")
        run(server, grant)
        granted = DsnTarget(address(server, "Me@Corp"), HARDWARE).inspect()
    finally:
        run(server, 'DROP OWNED BY "Me@Corp"', 'DROP ROLE "Me@Corp"')
    assert [(one.role, one.applies) for one in report.overrides] == [("Me@Corp", True)]
    assert "max_wal_size" in granted.rights.alters


def test_options_of_the_connection_outrank_alter_system(server: EmbeddedTarget) -> None:
    dsn = f"{address(server)} options='-c maintenance_work_mem=80MB'"
    report = DsnTarget(dsn, HARDWARE).inspect()
    assert "maintenance_work_mem" not in report.reachable


def test_a_pending_restart_is_listed_and_its_knob_left_out(server: EmbeddedTarget) -> None:
    run(server, "ALTER SYSTEM SET shared_buffers = '64MB'", "SELECT pg_reload_conf()")
    report = DsnTarget(address(server), HARDWARE).inspect()
    run(server, "ALTER SYSTEM RESET shared_buffers", "SELECT pg_reload_conf()")
    assert report.pending == ("shared_buffers",)
    assert "shared_buffers" not in report.reachable


def test_a_roles_own_time_limit_does_not_cut_measurements_short(server: EmbeddedTarget) -> None:
    new_role(server, "hurried", *(f"ALTER ROLE hurried SET {name} = '20ms'" for name in LIMITS))
    with DsnTarget(address(server, "hurried"), HARDWARE).connect() as connection:
        assert connection.execute("SELECT 1 FROM pg_sleep(0.1)").fetchone() == (1,)
        for name in LIMITS:
            assert connection.execute(f"SHOW {name}".encode()).fetchone() == ("0",)
    drop_role(server, "hurried")


def test_what_is_in_use_is_counted(server: EmbeddedTarget) -> None:
    with server.connect() as one, server.connect():
        one.execute("SELECT pg_create_physical_replication_slot('kept')")
        in_use = read_in_use(one)
        one.execute("SELECT pg_drop_replication_slot('kept')")
    assert in_use.connections >= 2
    assert (in_use.replication_slots, in_use.wal_senders) == (1, 0)
    assert InUse().prepared_transactions == 0


def test_a_server_of_this_machine_is_recognised_by_its_process(
    server: EmbeddedTarget, tmp_path: Path
) -> None:
    with server.connect() as connection:
        process = process_here(connection)
        assert process is not None
        assert seen_hardware(process, Stated()) == detect_hardware()
        assert seen_hardware(process, Stated(), root=tmp_path) is None, "no Linux, no /proc"
        assert seen_hardware(process, Stated(cores=1)) == Hardware(1, detect_hardware().memory)


def test_the_hardware_of_a_server_elsewhere_is_never_guessed() -> None:
    assert seen_hardware(None, Stated()) is None
    assert seen_hardware(None, Stated(cores=4)) is None
    assert seen_hardware(None, Stated(4, 8 << 30)) == Hardware(4, 8 << 30)


def test_hardware_that_is_not_known_is_a_problem_to_mend(server: EmbeddedTarget) -> None:
    report = replace(DsnTarget(address(server)).inspect(), hardware=None)
    assert ["--cores and --memory" in one for one in report.problems] == [True]


def test_a_change_from_outside_survives_settling(server: EmbeddedTarget) -> None:
    with DsnTarget(address(server), HARDWARE) as target:
        run(server, "ALTER SYSTEM SET max_wal_size = '5GB'", "SELECT pg_reload_conf()")
        target.settle()
        assert target.report.present["max_wal_size"] == 5120
    assert shown(server, "max_wal_size") == "5GB"


def test_a_target_that_was_not_entered_has_no_report() -> None:
    with pytest.raises(TargetError, match="not connected"):
        _ = DsnTarget("host=db.example").report


def test_a_standby_says_so_and_keeps_its_workers(server: EmbeddedTarget, cache: Path) -> None:
    with standby(server, cache) as dsn:
        report = DsnTarget(dsn, HARDWARE).inspect()
        primary = DsnTarget(address(server), HARDWARE, FakeRestarter(lambda: None)).inspect()
    assert report.standby
    assert "max_wal_size" in report.reachable
    assert primary.in_use.wal_senders == 1
    left = {one.name: one.obstacle for one in primary.reaches if not one.reachable}
    assert list(left) == ["max_worker_processes", "fsync"]
    assert "stop replaying" in left["max_worker_processes"]
