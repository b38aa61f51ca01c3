"""What a query returns is received whole, and none of the benchmark's business."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llmtune.benchmark.check import CheckOptions, check_queries
from llmtune.benchmark.queries import run_query
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.target import Connection
from llmtune.trial import TrialStatus
from workloads.workload import ExistingDatabase, Query, Workload

UNREADABLE = (
    "SELECT 'infinity'::timestamptz, '-infinity'::date",
    "SELECT '0044-03-15 BC'::date",
    "SELECT now(), '1 day 2 hours'::interval",
)
"""psycopg has no Python value for these, or none under the settings below."""

FAILS_AT_ITS_END = "SELECT 1 / (200000 - place) FROM generate_series(1, 200000) AS place"


@pytest.fixture
def connection(embedded: EmbeddedTarget) -> Iterator[Connection]:
    """As on a server whose owner likes other formats than ISO's."""
    formats = {"datestyle": "SQL, DMY", "intervalstyle": "sql_standard"}
    with embedded.connect("postgres", formats) as opened:
        yield opened


def query(sql: str) -> Query:
    return Query("q", sql, "q")


@pytest.mark.parametrize("sql", UNREADABLE)
def test_values_that_python_does_not_know_fail_no_query(connection, sql):
    outcome = run_query(connection, query(sql), 10.0)
    assert (outcome.status, outcome.message) == (TrialStatus.SUCCEEDED, "")


def test_a_users_query_with_such_values_is_not_refused(connection):
    own = Workload("own", (query(UNREADABLE[0]),), ExistingDatabase())
    assert check_queries(connection, own, CheckOptions(10.0)).workload == own


@pytest.mark.parametrize("sql", [FAILS_AT_ITS_END, f"{FAILS_AT_ITS_END}; SELECT 1"])
def test_an_error_behind_the_first_rows_is_seen(connection, sql):
    outcome = run_query(connection, query(sql), 10.0)
    assert (outcome.status, outcome.state) == (TrialStatus.FAILED, "22012")


def test_time_runs_until_the_last_row_is_made(connection):
    slow_end = "SELECT CASE WHEN g = 9 THEN pg_sleep(0.3)::text END FROM generate_series(1, 9) g"
    outcome = run_query(connection, query(slow_end), 10.0)
    assert outcome.status is TrialStatus.SUCCEEDED
    assert outcome.seconds >= 0.3
