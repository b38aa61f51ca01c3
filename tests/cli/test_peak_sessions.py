"""For how many sessions the memory of somebody's server is counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from llmtune.cli.bench import open_bench, refused_now
from llmtune.cli.progress import Reporter
from llmtune.cli.safety import Safety
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from llmtune.tuning.restore_points import RestorePoints
from llmtune.tuning.server_facts import Risks, server_facts
from llmtune.tuning.store import SessionStore
from tests.cli.conftest import Run
from tests.postgres.live_server import address, shown
from workloads.options import WorkloadOptions

MANY = 30


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    file = tmp_path / "queries.sql"
    file.write_text("SELECT count(*) FROM pg_class;\n")
    return file


@contextmanager
def at_noon(server: EmbeddedTarget) -> Iterator[None]:
    """While the application's sessions are connected."""
    with ExitStack() as sessions:
        for _ in range(MANY):
            login = psycopg.connect(f"{address(server)} application_name=shop")
            sessions.enter_context(login)
        yield


def test_the_plan_says_for_how_many_sessions_the_memory_is_counted(
    run: Run, embedded: EmbeddedTarget, queries: Path
) -> None:
    server = ("--target", address(embedded), "--cores", "2", "--memory", "1GB")
    asked = ("tune", *server, "--workload", queries, "--warm-start", "rules", "--dry-run")
    told = " ".join(run(*asked, "--peak-sessions", "70").stdout.split())
    assert f"(70 sessions of the {shown(embedded, 'max_connections')} that the server" in told


def test_sessions_of_others_count_and_our_own_do_not(embedded: EmbeddedTarget) -> None:
    with embedded.connect() as connection, embedded.connect():
        quiet = server_facts(connection, 1, standby=False, risks=Risks())
        with at_noon(embedded):
            busy = server_facts(connection, 1, standby=False, risks=Risks())
        stated = server_facts(connection, 1, standby=False, risks=Risks(peak_sessions=MANY))
    assert [one.clients for one in (quiet, busy, stated)] == [1, MANY, MANY]


def test_what_there_is_no_memory_for_by_now_is_not_left_in_force(
    embedded: EmbeddedTarget, queries: Path
) -> None:
    reporter = Reporter(quiet=True)
    safety = Safety(RestorePoints(SessionStore("sqlite://")), "night", reporter)
    wanted = WorkloadRequest(str(queries), WorkloadOptions())
    with open_bench(TargetRequest(address(embedded), 2, "1GB"), wanted, reporter, safety) as bench:
        best = bench.space.configuration({"work_mem": 6 << 10})
        assert refused_now(bench, best, Risks()) == ""
        with at_noon(embedded):
            assert f"with {MANY} sessions" in refused_now(bench, best, Risks())
        assert f"with {MANY} sessions" in refused_now(bench, best, Risks(peak_sessions=MANY))
