"""Running one query under a time limit: the smallest thing that is measured."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import psycopg
from psycopg import sql

from llmtune.postgres.target import Connection
from llmtune.trial import Pace, TrialStatus
from workloads.workload import Query

READ_ONLY = {"default_transaction_read_only": "on"}
"""For the sessions that a workload's queries run in: that a query did not write when it was
tried does not say that it never will. No knob, and nothing that a plan or a time depends on."""


@dataclass(frozen=True, slots=True)
class QueryOutcome:
    """How one query ended.

    Attributes:
        seconds: from sending to the last row; of a query that did not succeed, as
            long as it ran.
        status: SUCCEEDED, TIMED_OUT at its limit, FAILED, or CRASHED when the
            connection broke.
        message: the server's reason when it did not succeed.
        state: its SQL state, such as `25006`, when it failed.
        pace: where it was taken out, so that `seconds` are those at its reference.
    """

    query_id: str
    seconds: float
    status: TrialStatus
    message: str = ""
    state: str = ""
    pace: Pace | None = None


def run_query(
    connection: Connection, query: Query, timeout_s: float, *, may_write: bool = True
) -> QueryOutcome:
    """Run `query`, receive all its rows, and stop it after `timeout_s` seconds.

    The limit is the server's own `statement_timeout`, so a stopped query leaves
    nothing running behind. A query that writes runs in a transaction that is rolled
    back, however it ends, and that may write whatever the session's default is; what is
    deferred to the commit never runs. Limit, BEGIN and ROLLBACK lie outside the measured
    time.

    Args:
        may_write: without it a query that is not known to write runs in a read-only
            transaction, and fails with SQL state 25006 when it writes after all.
    """
    try:
        milliseconds = max(1, round(timeout_s * 1000))
        connection.execute(sql.SQL("SET statement_timeout = {}").format(milliseconds))
        if may_write and not query.writes:
            return _timed(connection, query, milliseconds / 1000)
        with connection.transaction(force_rollback=True):
            mode = "READ WRITE" if query.writes else "READ ONLY"
            connection.execute(f"SET TRANSACTION {mode}".encode())
            return _timed(connection, query, milliseconds / 1000)
    except psycopg.Error as error:
        return _failed(connection, query, 0.0, error)


def _timed(connection: Connection, query: Query, limit_s: float) -> QueryOutcome:
    start = perf_counter()
    try:
        # Unprepared: psycopg would prepare a repeated query, and then neither its
        # planning nor a changed setting would show in its time. All rows are here once it
        # returns; they are not read, which takes time and cannot be done with every value.
        connection.execute(query.sql.encode(), prepare=False)
    except psycopg.errors.QueryCanceled as error:
        seconds = perf_counter() - start
        # Somebody else may cancel a query too, which says nothing of how long it takes.
        status = TrialStatus.FAILED if seconds < limit_s else TrialStatus.TIMED_OUT
        return QueryOutcome(query.id, seconds, status, str(error).strip())
    except psycopg.Error as error:
        return _failed(connection, query, perf_counter() - start, error)
    return QueryOutcome(query.id, perf_counter() - start, TrialStatus.SUCCEEDED)


def _failed(
    connection: Connection, query: Query, seconds: float, error: psycopg.Error
) -> QueryOutcome:
    """How a query ended that raised `error`: a broken connection is a crash."""
    lost = isinstance(error, psycopg.OperationalError) and (connection.broken or connection.closed)
    status = TrialStatus.CRASHED if lost else TrialStatus.FAILED
    state = error.sqlstate or ""
    return QueryOutcome(query.id, seconds, status, str(error).strip(), state)
