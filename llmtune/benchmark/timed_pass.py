"""One pass over queries, capped when it is sure to be too slow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from llmtune.benchmark.queries import QueryOutcome
from llmtune.trial import TrialStatus
from workloads.workload import Query

WARM_FACTOR = 2.0
"""A query may be slower while warming than in the timed pass, but not this many times:
half its seconds are a bound on the timed ones."""

RunQuery = Callable[[Query, float], QueryOutcome]
"""Runs a query, stopped after so many seconds."""


@dataclass(frozen=True, slots=True)
class PassResult:
    """What one pass over the queries gave.

    Attributes:
        status: SUCCEEDED, CAPPED, or that of the query which ended the pass.
        total: weighted seconds; of a CAPPED pass the cap, a lower bound.
        outcomes: of the queries as far as the pass came.
        probe_s: mean seconds of the pace probe behind them; None where there was none.
    """

    status: TrialStatus
    total: float
    outcomes: tuple[QueryOutcome, ...]
    message: str = ""
    probe_s: float | None = None

    @property
    def query_seconds(self) -> float:
        """Unweighted seconds in which queries ran."""
        return sum(outcome.seconds for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class Limits:
    """Where passes stop.

    Attributes:
        query_timeout_s: for one query; reaching it ends the pass as TIMED_OUT.
        cap: for the weighted total, seconds; certain to exceed it, a pass ends as CAPPED.
        bounds: the least seconds that each query takes, as far as known; without any
            a pass is stopped only once it has exceeded the cap.
    """

    query_timeout_s: float
    cap: float = math.inf
    bounds: Mapping[str, float] = field(default_factory=dict)

    def least(self, queries: Iterable[Query]) -> float:
        """Weighted seconds that `queries` take at the least."""
        return sum(query.weight * self.bounds.get(query.id, 0.0) for query in queries)

    def left(self, spent: float, query: Query, waiting: Iterable[Query]) -> float:
        """Seconds that `query` may take.

        Args:
            spent: weighted seconds of the queries that are done.
            waiting: the queries to be run behind it.
        """
        return max((self.cap - spent - self.least(waiting)) / query.weight, 0.0)

    def raised(self, bounds: Mapping[str, float]) -> Limits:
        """The same with these bounds where they are higher."""
        higher = {name: max(self.bounds.get(name, 0.0), least) for name, least in bounds.items()}
        return replace(self, bounds={**self.bounds, **higher})


def run_pass(
    run: RunQuery, queries: Sequence[Query], limits: Limits, spent: float = 0.0
) -> PassResult:
    """Run every query once, in order, until done, capped or failed.

    Args:
        spent: weighted seconds that count already.
    """
    total = spent
    outcomes: list[QueryOutcome] = []
    for place, query in enumerate(queries):
        left = limits.left(total, query, queries[place + 1 :])
        if outcomes and left <= 0:
            message = f"stopped before {query.id} at the cap of {limits.cap:.3g} s"
            return PassResult(TrialStatus.CAPPED, limits.cap, tuple(outcomes), message)
        outcome = run(query, min(limits.query_timeout_s, left))
        outcomes.append(outcome)
        total += query.weight * outcome.seconds
        if outcome.status is TrialStatus.TIMED_OUT and left <= limits.query_timeout_s:
            message = f"stopped in {query.id} at the cap of {limits.cap:.3g} s"
            return PassResult(TrialStatus.CAPPED, limits.cap, tuple(outcomes), message)
        if outcome.status is not TrialStatus.SUCCEEDED:
            message = f"query {query.id}: {outcome.message}"
            return PassResult(outcome.status, total, tuple(outcomes), message)
    return PassResult(TrialStatus.SUCCEEDED, total, tuple(outcomes))


def warm_pass(
    run: RunQuery, queries: Sequence[Query], limits: Limits, spent: float = 0.0
) -> PassResult:
    """Run every query once without timing it; CAPPED when the timed pass is hopeless.

    Args:
        spent: weighted seconds that the timed pass will take beside these queries.
    """
    patient = replace(limits, query_timeout_s=limits.query_timeout_s / WARM_FACTOR)

    def run_halved(query: Query, timeout_s: float) -> QueryOutcome:
        return _scaled(run(query, timeout_s * WARM_FACTOR), 1 / WARM_FACTOR)

    halved = run_pass(run_halved, queries, patient, spent)
    return replace(halved, outcomes=tuple(_scaled(o, WARM_FACTOR) for o in halved.outcomes))


def bound_of(warmed: QueryOutcome) -> QueryOutcome:
    """What a run that warmed tells; stopped at its limit, the least that a timed one takes."""
    stopped = warmed.status is TrialStatus.TIMED_OUT
    return _scaled(warmed, 1 / WARM_FACTOR) if stopped else warmed


def _scaled(outcome: QueryOutcome, factor: float) -> QueryOutcome:
    return replace(outcome, seconds=outcome.seconds * factor)
