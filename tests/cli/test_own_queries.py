"""The command line on a user's own queries, from files and from a live database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from datagen.matrix_files import read_matrix
from llmtune.errors import SessionError
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.tuning.reopen import check_queries
from llmtune.tuning.store import SessionStore
from tests.cli.conftest import FEW, stopped
from workloads.tpch import tpch_workload

SHORT = ("--warm-start", "none", "--trials", "1")
OVER_TPCH = ("--data-set", "tpch", "--scale", "0.01")
ROWS = "SELECT count(*) FROM lineitem"


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    """Two queries that run, one that writes, one that does not end, one that fails."""
    folder = tmp_path / "queries"
    folder.mkdir()
    (folder / "count.sql").write_text(f"-- weight: 2\n{ROWS}")
    (folder / "writes.sql").write_text("DELETE FROM region WHERE r_regionkey > 100")
    (folder / "slow.sql").write_text("SELECT pg_sleep(60)")
    (folder / "wrong.sql").write_text("\nSELECT colour FROM lineitem")
    return folder


def test_a_folder_is_tuned_for_without_the_queries_that_fail(run, queries, tmp_path) -> None:
    call = ("tune", "--workload", queries, *OVER_TPCH, *SHORT, "--out", tmp_path / "out")
    done = run(*call, "--allow-writes", "--query-timeout", "500ms", "--leave-out-failing")
    assert done.exit_code == 0, done.stderr
    assert "query slow" in done.message
    assert "did not end within 0.5 s" in done.message
    assert 'column "colour" does not exist' in done.message
    assert (tmp_path / "out" / "result.json").exists()


@pytest.mark.parametrize(
    ("options", "exit_code", "said"),
    [
        ((), 2, "writes.sql:1: this changes data; --allow-writes"),
        (("--allow-writes", "--query-timeout", "500ms"), 1, "slow.sql:1) failed: it did not end"),
    ],
)
def test_a_query_that_cannot_be_run_is_named(run, queries, options, exit_code, said) -> None:
    done = run("tune", "--workload", queries, *OVER_TPCH, *SHORT, *options)
    assert done.exit_code == exit_code
    assert said in done.message


def test_the_report_tells_each_query_before_and_after(run, file, tmp_path) -> None:
    """The query is slow unless work_mem is what the warm start's file has."""
    fast = "current_setting('work_mem') = '64MB'"
    sleep = f"pg_sleep(CASE WHEN {fast} THEN 0.001 ELSE 0.05 END)"
    (tmp_path / "asking.sql").write_text(f"SELECT count(*), {sleep} FROM region")
    start = ("--warm-start", file('{"work_mem": "64MB"}'), "--trials", "3")
    out = tmp_path / "out"
    done = run("tune", "--workload", tmp_path / "asking.sql", *OVER_TPCH, *start, "--out", out)
    assert done.exit_code == 0, done.stderr
    page = (out / "report.html").read_text()
    assert "<h2>Queries, before and after</h2>" in page
    row = re.search(r"<td>asking</td><td>([\d.]+)</td><td>([\d.]+)</td>", page)
    assert row is not None
    assert float(row[1]) > 5 * float(row[2])


def test_data_generation_goes_on_without_what_it_left_out(run, tmp_path) -> None:
    """A query that takes about as long as the limit is in it at one time and not at another."""
    folder, out = tmp_path / "queries", tmp_path / "out"
    folder.mkdir()
    for table in ("nation", "part", "region", "supplier"):
        (folder / f"{table}.sql").write_text(f"SELECT count(*) FROM {table}")
    (folder / "nap.sql").write_text("SELECT pg_sleep(0.2)")
    (folder / "sleep.sql").write_text("SELECT pg_sleep(0.6)")
    call = ("datagen", "--workload", folder, *OVER_TPCH, *FEW, "--leave-out-failing", "--out", out)
    before = "as before: sleep"
    for limit, said in (("400ms", "query sleep"), ("100ms", before), ("9s", before)):
        done = run(*call, "--query-timeout", limit)
        assert done.exit_code == 0, done.stderr
        assert "left out" in done.message
        assert said in done.message
        kept = ("nap", "nation", "part", "region", "supplier")
        assert read_matrix(out / "matrix").query_ids == kept


def test_a_throw_away_server_has_no_database_of_the_user_s(run, queries) -> None:
    done = run("tune", "--workload", queries / "count.sql", *SHORT)
    assert done.exit_code == 2
    assert "--target postgresql://" in done.message
    assert "--data-set" in done.message
    captured = run("tune", "--workload", "captured", *SHORT)
    assert captured.exit_code == 2
    assert "--data-set" not in captured.message


@pytest.fixture
def live(embedded: EmbeddedTarget, tpch_tiny: str) -> Iterator[str]:
    """The address of a server that counts its statements; some have run."""
    with embedded.connect() as control:
        control.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    embedded.restart()
    with embedded.connect(tpch_tiny) as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")
        for key in (3, 5):
            connection.execute(f"/* shop */ {ROWS} WHERE l_orderkey > {key} -- daily".encode())
        yield f"postgresql://postgres@/{tpch_tiny}?host={connection.info.host}"
        connection.execute("DROP EXTENSION pg_stat_statements")
    embedded.recover()


@pytest.fixture
def heavier(live: str, embedded: EmbeddedTarget, tpch_tiny: str) -> Callable[[int], None]:
    """Lets the live server run four more statements so many times, the last one the most."""

    def call(times: int) -> None:
        with embedded.connect(tpch_tiny) as connection:
            for number, table in enumerate(("orders", "customer", "part", "supplier"), start=1):
                for _ in range(times * number):
                    connection.execute(f"SELECT count(*) FROM {table}".encode())

    return call


def test_what_was_captured_is_kept_for_the_session(run, live, heavier, stored, tmp_path) -> None:
    call = ("tune", "--workload", "captured", "--target", live, *SHORT, "--out", tmp_path)
    call = (*call, "--yes", "--store", stored)
    done = run(*call)
    assert done.exit_code == 0, done.stderr
    assert "Captured 1 statements with 3 sets of values" in done.message
    (kept,) = tmp_path.glob("captured-*.sql")
    assert kept.read_text().count("-- name: s1.") == 3
    assert kept.read_text().count(f"{ROWS} WHERE l_orderkey > ") == 3
    session = stopped(stored, tmp_path)
    heavier(1)
    other = run(*call)  # into the same folder
    assert other.exit_code == 0, other.stderr
    assert len(list(tmp_path.glob("captured-*.sql"))) == 2
    resumed = run("resume", session, "--yes", "--store", stored)
    assert resumed.exit_code == 0, resumed.stderr


def test_data_generation_goes_on_with_what_was_captured(run, live, heavier, tmp_path) -> None:
    heavier(1)
    call = ("datagen", "--workload", "captured", "--target", live, *FEW, "--out", tmp_path)
    first = run(*call, "--json").json
    kept = (tmp_path / "captured.sql").read_text()
    heavier(100)  # others are the heaviest now
    again = run(*call, "--sampled", "7")
    assert again.exit_code == 0, again.stderr
    assert "Continuing with the queries in" in again.message
    assert (tmp_path / "captured.sql").read_text() == kept
    assert len(read_matrix(tmp_path / "matrix").runs) >= first["runs"] + 2


def test_data_generation_runs_a_function_that_writes_and_rolls_it_back(
    run, live, heavier, embedded, tpch_tiny, tmp_path
) -> None:
    heavier(1)
    call = ("datagen", "--workload", "captured", "--target", live, *FEW, "--out", tmp_path)
    with embedded.connect(tpch_tiny) as connection:
        connection.execute("CREATE TABLE notes (n int)")
        try:
            insert = "INSERT INTO notes VALUES ($1) RETURNING n"
            connection.execute(
                f"CREATE FUNCTION note(int) RETURNS int LANGUAGE sql AS '{insert}'".encode()
            )
            connection.execute("SELECT note(r_regionkey) FROM region")
            done = run(*call, "--allow-writes", "--json").json
            assert "SELECT note(" in (tmp_path / "captured.sql").read_text()
            assert done["complete_runs"] == done["runs"]
            assert connection.execute("SELECT count(*) FROM notes").fetchone() == (5,)
        finally:
            connection.execute("DROP FUNCTION IF EXISTS note")
            connection.execute("DROP TABLE notes")


def test_data_generation_counts_the_sessions_that_are_open(
    run, live, heavier, embedded, tpch_tiny, tmp_path
) -> None:
    heavier(1)
    with ExitStack() as others:
        for _ in range(20):
            other = others.enter_context(embedded.connect(tpch_tiny))
            other.execute("SET application_name = 'shop'")
        done = run("datagen", "--workload", "captured", "--target", live, *FEW, "--out", tmp_path)
    assert done.exit_code == 0, done.stderr
    assert read_matrix(tmp_path / "matrix").header.clients >= 20


def test_a_session_does_not_go_on_with_other_queries(run, stored, tmp_path) -> None:
    file, out = tmp_path / "mine.sql", tmp_path / "out"
    file.write_text(ROWS)
    call = ("tune", "--workload", file, *OVER_TPCH, *SHORT, "--out", out, "--store", stored)
    assert run(*call).exit_code == 0
    session = stopped(stored, out)
    file.write_text(f"{ROWS} WHERE l_orderkey > 5")
    refused = run("resume", session, "--store", stored)
    assert refused.exit_code == 1
    assert "it measured other queries" in refused.message
    record = SessionStore(stored).summary(session).record
    other = tpch_workload(0.01)
    with pytest.raises(SessionError):
        check_queries(record, other)
    older = replace(record.origin, queries=None)
    check_queries(replace(record, origin=older), other)  # it cannot be told
    file.write_text(f"-- as it was\n{ROWS};\n")
    assert run("resume", session, "--store", stored).exit_code == 0
