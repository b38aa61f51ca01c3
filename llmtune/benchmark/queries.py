"""Running one query under a time limit: the smallest thing that is measured."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import psycopg
from psycopg import sql

from llmtune.postgres.target import Connection
from llmtune.trial import TrialStatus
from workloads.workload import Query


@dataclass(frozen=True, slots=True)
class QueryOutcome:
    """How one query ended.

    Attributes:
        seconds: from sending to the last row; of a query that did not succeed, as
            long as it ran.
        status: SUCCEEDED, TIMED_OUT at its limit, FAILED, or CRASHED when the
            connection broke.
        message: the server's reason when it did not succeed.
    """

    query_id: str
    seconds: float
    status: TrialStatus
    message: str = ""


def run_query(connection: Connection, query: Query, timeout_s: float) -> QueryOutcome:
    """Run `query`, fetch all its rows, and stop it after `timeout_s` seconds.

    The limit is the server's own `statement_timeout`, so a stopped query leaves
    nothing running behind. It is set outside the measured time.
    """
    milliseconds = max(1, round(timeout_s * 1000))
    status, message = TrialStatus.SUCCEEDED, ""
    start = perf_counter()
    try:
        connection.execute(sql.SQL("SET statement_timeout = {}").format(milliseconds))
        start = perf_counter()
        # Unprepared: psycopg would prepare a repeated query, and then neither its
        # planning nor a changed setting would show in its time.
        cursor = connection.execute(query.sql.encode(), prepare=False)
        if cursor.description is not None:
            cursor.fetchall()
    except psycopg.errors.QueryCanceled as error:
        # Somebody else may cancel a query too, which says nothing of how long it takes.
        in_time = perf_counter() - start < milliseconds / 1000
        status = TrialStatus.FAILED if in_time else TrialStatus.TIMED_OUT
        message = str(error)
    except psycopg.OperationalError as error:
        broken = connection.broken or connection.closed
        status = TrialStatus.CRASHED if broken else TrialStatus.FAILED
        message = str(error)
    except psycopg.Error as error:
        status, message = TrialStatus.FAILED, str(error)
    return QueryOutcome(query.id, perf_counter() - start, status, message.strip())
