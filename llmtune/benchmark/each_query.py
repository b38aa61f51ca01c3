"""Timing every query by itself, in the passes of a trial; one that fails does not end the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from llmtune.benchmark.measure_options import MeasureOptions
from llmtune.benchmark.pace import metered
from llmtune.benchmark.queries import QueryOutcome, run_query
from llmtune.benchmark.timed_pass import WARM_FACTOR, RunQuery, bound_of
from llmtune.errors import ConnectionFailed
from llmtune.postgres.target import Connection
from llmtune.trial import TrialStatus
from workloads.workload import Query


def time_each(
    connection: Connection,
    queries: Sequence[Query],
    options: MeasureOptions,
    limits_s: Mapping[str, float],
) -> tuple[tuple[QueryOutcome, ...], float | None]:
    """Warm each query, then time it; one that does not succeed is not run again.

    Args:
        limits_s: for each query id, when it is timed. While warming it may take longer;
            stopped there, its seconds are the least of a timed run. Without one the
            options' limit holds, while warming too.

    Returns:
        The outcomes in the queries' order, and the mean seconds of the pace probe behind the
        last pass; None where there was none.

    Raises:
        ConnectionFailed: the server died of a query.
    """
    outcomes: dict[str, QueryOutcome] = {}
    probe_s: float | None = None
    plain = partial(run_query, connection)
    for number in range(options.warm_passes + 1):
        run, meter = metered(plain, connection, options.steady, len(queries))
        once = _warmed if number < options.warm_passes else _timed
        for query in queries:
            last = outcomes.get(query.id)
            if last is None or last.status is TrialStatus.SUCCEEDED:
                outcome = once(run, query, limits_s.get(query.id), options.query_timeout_s)
                outcomes[query.id] = _survived(outcome)
        probe_s = meter.mean if meter else None
    return tuple(outcomes.values()), probe_s


def _timed(run: RunQuery, query: Query, limit_s: float | None, longest_s: float) -> QueryOutcome:
    return run(query, longest_s if limit_s is None else limit_s)


def _warmed(run: RunQuery, query: Query, limit_s: float | None, longest_s: float) -> QueryOutcome:
    return bound_of(run(query, longest_s if limit_s is None else limit_s * WARM_FACTOR))


def _survived(outcome: QueryOutcome) -> QueryOutcome:
    """The outcome itself.

    Raises:
        ConnectionFailed: the server died of the query.
    """
    if outcome.status is TrialStatus.CRASHED:
        message = f"the server went away in query {outcome.query_id}: {outcome.message}"
        raise ConnectionFailed(message)
    return outcome
