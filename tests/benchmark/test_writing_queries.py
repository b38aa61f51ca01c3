"""Queries that write leave no trace, and a user's own queries are tried before they count."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from psycopg.pq import TransactionStatus

from llmtune.benchmark.benchmark import Benchmark
from llmtune.benchmark.check import CheckOptions, check_queries
from llmtune.benchmark.queries import run_query
from llmtune.benchmark.timed_pass import Limits, run_pass
from llmtune.errors import ConnectionFailed, QueryFailed, UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.plans import explain
from llmtune.postgres.target import Connection
from llmtune.trial import Trial, TrialStatus
from workloads.workload import ExistingDatabase, Query, Workload

ROWS = "SELECT count(*), sum(amount) FROM account"
FUNCTION = """
CREATE FUNCTION raise_all() RETURNS bigint LANGUAGE sql VOLATILE AS
    'WITH done AS (UPDATE account SET amount = amount + 1 RETURNING 1) SELECT count(*) FROM done'
"""
QUIET = """
CREATE FUNCTION quiet() RETURNS int LANGUAGE plpgsql AS
    'BEGIN
        BEGIN INSERT INTO account VALUES (0, 0); EXCEPTION WHEN OTHERS THEN NULL; END;
        RETURN 1;
    END'
"""
"""Logs that it was called: a failure of that must not break whoever calls it."""
LATER = """
CREATE FUNCTION later() RETURNS int LANGUAGE plpgsql AS
    'BEGIN
        IF EXISTS (SELECT FROM stale) THEN INSERT INTO account VALUES (0, 0); END IF;
        RETURN 1;
    END'
"""
SLOW_WRITE = "UPDATE account SET amount = amount + length(pg_sleep(0.02)::text)"
BROKEN_WRITE = "UPDATE account SET amount = amount / (amount - 50)"
KILL = "DELETE FROM account WHERE pg_terminate_backend(pg_backend_pid())"
WRITES = {
    "insert": "INSERT INTO account SELECT g, 1 FROM generate_series(1000, 2000) g",
    "update": "UPDATE account SET amount = amount + 1 RETURNING *",
    "delete": "DELETE FROM account",
    "merge": "MERGE INTO account USING (SELECT 1 AS id) s ON account.id = s.id"
    " WHEN MATCHED THEN DELETE",
    "in a select": "WITH gone AS (DELETE FROM account RETURNING *) SELECT count(*) FROM gone",
    "for update": "SELECT * FROM account FOR UPDATE",
    "into": "SELECT * INTO copied FROM account",
    "as": "CREATE TABLE copied AS SELECT * FROM account",
}


@pytest.fixture(scope="module")
def database(embedded: EmbeddedTarget) -> Iterator[str]:
    """A database of the user's, with 100 accounts that hold 5050 together."""
    with embedded.connect() as control:
        control.execute("CREATE DATABASE shop")
    with embedded.connect("shop") as connection:
        connection.execute(
            "CREATE TABLE account AS SELECT g AS id, g::numeric AS amount"
            " FROM generate_series(1, 100) g"
        )
        connection.execute("CREATE TABLE stale (n int)")
        for function in (FUNCTION, QUIET, LATER):
            connection.execute(function.encode())
    yield "shop"
    with embedded.connect() as control:
        control.execute("DROP DATABASE shop WITH (FORCE)")


@pytest.fixture
def connection(embedded: EmbeddedTarget, database: str) -> Iterator[Connection]:
    with embedded.connect(database) as opened:
        yield opened


@pytest.fixture
def state(embedded: EmbeddedTarget, database: str):
    """Everything in the database that a query could have changed, seen by another session."""

    def read() -> tuple[object, ...]:
        with embedded.connect(database) as other:
            rows = other.execute(ROWS).fetchone()
            tables = other.execute(
                "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            ).fetchone()
        return rows, tables

    return read


def query(sql: str, name: str = "q", *, writes: bool = False) -> Query:
    return Query(name, sql, name, writes=writes, place=f"own.sql:{len(name)}")


def workload(*queries: Query) -> Workload:
    return Workload("own", queries, ExistingDatabase())


def test_every_kind_of_write_is_undone(connection, state):
    before = state()
    for name, text in WRITES.items():
        outcome = run_query(connection, query(text, name, writes=True), 10.0)
        assert outcome.status is TrialStatus.SUCCEEDED, outcome.message
        assert outcome.seconds > 0
        assert connection.info.transaction_status is TransactionStatus.IDLE
        assert state() == before, name


@pytest.mark.parametrize(
    ("text", "limit", "status"),
    [
        (BROKEN_WRITE, 10.0, TrialStatus.FAILED),
        (SLOW_WRITE, 0.3, TrialStatus.TIMED_OUT),
    ],
)
def test_a_write_that_fails_or_does_not_end_is_undone(connection, state, text, limit, status):
    before = state()
    outcome = run_query(connection, query(text, writes=True), limit)
    assert outcome.status is status
    assert state() == before
    again = run_query(connection, query(ROWS), 10.0)
    assert again.status is TrialStatus.SUCCEEDED, "the session is usable"


def test_a_write_whose_session_dies_is_undone(embedded, database, state):
    before = state()
    with embedded.connect(database) as doomed:
        outcome = run_query(doomed, query(KILL, writes=True), 10.0)
    assert outcome.status is TrialStatus.CRASHED
    assert state() == before


def test_a_pass_with_writes_sees_the_same_data_each_time(connection, state):
    before = state()
    check = query("SELECT 1 / (count(*) = 100)::int FROM account", "check")
    mixed = workload(query(WRITES["delete"], "delete", writes=True), check)
    for _ in range(3):
        result = run_pass(partial(run_query, connection), mixed.queries, Limits(10.0))
        assert result.status is TrialStatus.SUCCEEDED, result.message
    assert state() == before


def test_planning_a_write_does_not_run_it(connection, state):
    before = state()
    for text in WRITES.values():
        assert explain(connection, text).total_cost >= 0
    check_queries(connection, workload(query(WRITES["delete"], writes=True)), CheckOptions())
    assert state() == before


def test_checking_runs_every_query_and_changes_nothing(connection, state):
    before = state()
    queries = (query(ROWS, "rows"), query(WRITES["update"], "update", writes=True))
    checked = check_queries(connection, workload(*queries), CheckOptions(10.0))
    assert (checked.workload.queries, checked.left_out) == (queries, ())
    assert state() == before


FAILING = {
    "missing table": ("SELECT * FROM nothing", r"q \(own.sql:1\) failed: relation \"nothing\""),
    "fails when run": ("SELECT 1 / (id - id) FROM account", r"q \(own.sql:1\) .*division by zero"),
    "does not end": ("SELECT pg_sleep(60)", r"did not end within 0.3 s; --query-timeout"),
    "writes after all": ("SELECT raise_all()", r"function .*--allow-writes"),
    "cancelled": (
        "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(0.1)",
        "user request",
    ),
}


@pytest.mark.parametrize("cause", FAILING)
def test_a_query_that_fails_is_named_with_its_place(connection, state, cause):
    text, said = FAILING[cause]
    before = state()
    with pytest.raises(QueryFailed, match=said) as caught:
        check_queries(connection, workload(query(text)), CheckOptions(0.3))
    assert "--leave-out-failing" in caught.value.__notes__[0]
    assert state() == before


def test_queries_that_fail_are_left_out_on_request(connection):
    queries = [query(text, cause) for cause, (text, _) in FAILING.items()]
    options = CheckOptions(0.3, leave_out=True)
    checked = check_queries(connection, workload(*queries, query(ROWS, "good")), options)
    assert [one.id for one in checked.workload.queries] == ["good"]
    assert [one.query_id for one in checked.left_out] == list(FAILING)
    assert "division by zero" in checked.left_out[1].reason
    with pytest.raises(UsageError, match="no query of own is left: query missing table"):
        check_queries(connection, workload(*queries), options)


def test_a_query_that_would_return_too_much_is_not_run(connection, state):
    before = state()
    # Its plan does not foretell that it returns nothing.
    huge = "SELECT a.* FROM account a, account b, account c, account d WHERE current_user = 'x'"
    with pytest.raises(QueryFailed, match=r"returns .* rows, .* not read into memory; put a LIMIT"):
        check_queries(connection, workload(query(huge)), CheckOptions(10.0))
    options = CheckOptions(10.0, leave_out=True)
    checked = check_queries(connection, workload(query(huge, "huge"), query(ROWS)), options)
    assert [one.query_id for one in checked.left_out] == ["huge"]
    planned = check_queries(connection, workload(query(huge)), CheckOptions())
    kept = query(f"CREATE TABLE copied AS {huge}", writes=True)  # which returns nothing
    ran = check_queries(connection, workload(kept), CheckOptions(10.0))
    assert (planned.left_out, ran.left_out) == ((), ())
    assert state() == before


def test_a_function_that_writes_is_rolled_back_where_writes_are_allowed(connection, state):
    before = state()
    options = CheckOptions(10.0, writes=True)
    checked = check_queries(connection, workload(query("SELECT raise_all()")), options)
    assert checked.workload.queries[0].writes
    assert checked.left_out == ()
    assert state() == before


def test_a_server_that_goes_away_is_no_query_to_leave_out(embedded, database):
    options = CheckOptions(10.0, leave_out=True)
    with embedded.connect(database) as doomed, pytest.raises(ConnectionFailed, match="in query q"):
        check_queries(doomed, workload(query(KILL, writes=True)), options)


@pytest.fixture
def measure(embedded, database):
    """Measure a workload once, as a session does."""

    def run(*queries: Query) -> Trial:
        hardware = Hardware(2, 1 << 30)
        space = resolve_space(load_catalogue(), embedded.version, hardware, ["work_mem"])
        benchmark = Benchmark(embedded, space, workload(*queries), database)
        return benchmark.measure(space.default(), number=0, source="test")

    return run


def test_a_write_that_its_function_keeps_quiet_about_is_not_done_by_a_trial(
    connection, state, measure
):
    before = state()
    checked = check_queries(connection, workload(query("SELECT quiet()")), CheckOptions(10.0))
    trial = measure(*checked.workload.queries)
    assert trial.status is TrialStatus.SUCCEEDED, trial.message
    assert state() == before


def test_a_function_that_writes_only_later_fails_then(connection, state, measure):
    checked = check_queries(connection, workload(query("SELECT later()")), CheckOptions(10.0))
    connection.execute("INSERT INTO stale VALUES (1)")
    try:
        before = state()
        trial = measure(*checked.workload.queries)
        assert trial.status is TrialStatus.FAILED
        assert "read-only transaction" in trial.message
        assert state() == before
    finally:
        connection.execute("TRUNCATE stale")


def test_a_trial_of_queries_that_write_and_that_do_not_runs_all_and_undoes_all(state, measure):
    before = state()
    writing = [query(text, name, writes=True) for name, text in WRITES.items()]
    trial = measure(query(ROWS, "rows"), *writing, query(ROWS, "rows again"))
    assert trial.status is TrialStatus.SUCCEEDED, trial.message
    assert [one.query_id for one in trial.query_times] == ["rows", *WRITES, "rows again"]
    assert state() == before
