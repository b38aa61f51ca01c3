"""Trying a user's own queries once, before a session rests on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import psycopg
from psycopg.errors import ReadOnlySqlTransaction

from llmtune.benchmark.machine_lock import machine_lock
from llmtune.benchmark.queries import QueryOutcome, run_query
from llmtune.errors import ConnectionFailed, QueryFailed, UsageError
from llmtune.postgres.plans import explain, not_planned, too_large
from llmtune.postgres.target import Connection
from llmtune.trial import TrialStatus
from workloads.workload import Query, Workload

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A query that will not be measured, and why."""

    query_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A workload whose queries all run, and what it lost."""

    workload: Workload
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How queries are tried.

    Attributes:
        timeout_s: limit for one query, seconds; None runs none, they are planned alone.
        leave_out: take queries that fail out of the workload, instead of refusing it.
        writes: a query that turns out to write is kept, and rolled back from then on.
        proven: ids of queries that ended in time before; one that does not now is kept.
    """

    timeout_s: float | None = None
    leave_out: bool = False
    writes: bool = False
    proven: frozenset[str] = frozenset()


def check_queries(
    connection: Connection,
    workload: Workload,
    options: CheckOptions,
    progress: Progress | None = None,
) -> Checked:
    """Plan every query, and run it once where that is asked for; nothing is changed.

    A query that is not known to write runs in a read-only transaction: a function
    in it may write after all.

    Raises:
        QueryFailed: a query fails, does not end or would return too much, and is not to be
            left out.
        UsageError: no query is left.
        ConnectionFailed: the server went away in a query, which is named.
    """
    kept: list[Query] = []
    left_out: list[LeftOut] = []
    for number, query in enumerate(workload.queries):
        if progress is not None:
            progress(query.id, number / len(workload.queries))
        try:
            kept.append(_tried(connection, query, options))
        except QueryFailed as error:
            if not options.leave_out:
                error.add_note("--leave-out-failing goes on without such queries.")
                raise
            left_out.append(LeftOut(query.id, str(error)))
    if not kept:
        raise UsageError(f"no query of {workload.name} is left: {left_out[0].reason}")
    return Checked(replace(workload, queries=tuple(kept)), tuple(left_out))


def _tried(connection: Connection, query: Query, options: CheckOptions) -> Query:
    """The query once it is sure to run, marked as writing when it turned out to."""
    try:
        plan = explain(connection, query.sql)
    except psycopg.Error as error:
        if connection.broken or connection.closed:
            raise ConnectionFailed(f"the server went away planning query {query.id}") from error
        raise QueryFailed(query.id, not_planned(error), query.place) from error
    if options.timeout_s is None:
        return query
    if too_large(plan) and not query.writes:  # CREATE TABLE AS has the plan of a query
        raise QueryFailed(query.id, f"{too_large(plan)}; put a LIMIT on it", query.place)
    with machine_lock():  # it would disturb another session's measurement
        outcome = run_query(connection, query, options.timeout_s, may_write=False)
        if outcome.state == ReadOnlySqlTransaction.sqlstate and options.writes:
            query = replace(query, writes=True)
            outcome = run_query(connection, query, options.timeout_s)
    if outcome.status is TrialStatus.CRASHED:
        raise ConnectionFailed(f"the server went away in query {query.id}: {outcome.message}")
    if outcome.status is TrialStatus.TIMED_OUT and query.id in options.proven:
        return query
    if outcome.status is not TrialStatus.SUCCEEDED:
        raise QueryFailed(query.id, _reason(outcome, options.timeout_s), query.place)
    return query


def _reason(outcome: QueryOutcome, timeout_s: float) -> str:
    if outcome.status is TrialStatus.TIMED_OUT:
        return f"it did not end within {timeout_s:g} s; --query-timeout sets another limit"
    if outcome.state == ReadOnlySqlTransaction.sqlstate:
        return (
            "a function that it calls changes data; --allow-writes runs it, always in a "
            f"transaction that is rolled back ({outcome.message})"
        )
    return outcome.message
