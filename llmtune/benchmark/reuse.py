"""Times that need no measuring: those of earlier runs under equal conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

from llmtune.benchmark.history import History
from llmtune.knobs.configuration import Configuration
from llmtune.postgres.run_conditions import Conditions
from workloads.workload import Query

AGREEMENT = 1.3
"""Earlier times that differ by more than this factor are measured again: either the
noise is too great for one number, or the conditions missed what matters."""

NEGLIGIBLE = 0.01
"""Unless it is a query so short that this share of the workload's total covers it."""

ConditionsOf = Callable[[str, Configuration], Conditions]
"""What decides a query's time under a configuration."""


def reusable(
    queries: Iterable[Query],
    history: History,
    configuration: Configuration,
    conditions: ConditionsOf,
) -> dict[str, float]:
    """Seconds of the queries that need not be run under `configuration`.

    Each is the mean of the query's complete times under equal conditions, where these
    agree. A query that writes is always run. So is at least one query of every trial,
    that whose weighted seconds rest on the fewest runs: a trial that measures nothing
    could only repeat what is known, and would hide a drift of the machine.
    """
    queries = tuple(queries)
    slack = NEGLIGIBLE * sum(q.weight * (history.typical(q.id) or 0.0) for q in queries)
    known: dict[str, list[float]] = {}
    for query in (one for one in queries if not one.writes):
        wanted = conditions(query.id, configuration)
        seconds = [
            timing.seconds
            for timing in history.complete(query.id)
            if conditions(query.id, timing.configuration) == wanted
        ]
        if seconds and _agree(seconds, slack / query.weight):
            known[query.id] = seconds
    if queries and len(known) == len(queries):
        del known[_least_certain(queries, known)]
    return {query_id: fmean(seconds) for query_id, seconds in known.items()}


def _agree(seconds: Sequence[float], slack: float) -> bool:
    low, high = min(seconds), max(seconds)
    return high <= AGREEMENT * low or high - low <= slack


def _least_certain(queries: Iterable[Query], known: Mapping[str, list[float]]) -> str:
    def stake(query: Query) -> float:
        seconds = known[query.id]
        return query.weight * fmean(seconds) / len(seconds)

    return max(queries, key=stake).id
