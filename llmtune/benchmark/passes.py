"""The passes of one trial on one connection: warm as needed, then time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import fmean

from llmtune.benchmark.pace import metered
from llmtune.benchmark.queries import QueryOutcome, run_query
from llmtune.benchmark.savings import Savings
from llmtune.benchmark.timed_pass import (
    WARM_FACTOR,
    Limits,
    PassResult,
    run_pass,
    warm_pass,
)
from llmtune.benchmark.warmth import Warmth
from llmtune.postgres.target import Connection
from llmtune.trial import QueryTime, TrialStatus
from workloads.workload import Query


@dataclass(frozen=True, slots=True)
class Passes:
    """What the passes of one trial came to.

    Attributes:
        result: the last one's, which decides; over all queries where those to be reused
            were run after all, and the means where all were timed twice.
        measured_s: unweighted seconds in which queries ran, in all passes.
        timed: the last one is the timed pass, not one that warms.
        reused: seconds of queries that no pass ran.
        spent: what these have of the result's total, weighted seconds.
        probe_s: mean seconds of the pace probe behind the result's queries; None where
            there was none.
    """

    result: PassResult
    measured_s: float
    timed: bool = False
    reused: Mapping[str, float] = field(default_factory=dict)
    spent: float = 0.0
    probe_s: float | None = None

    @property
    def status(self) -> TrialStatus:
        """The last one's."""
        return self.result.status

    @property
    def query_times(self) -> tuple[QueryTime, ...]:
        """Those that were reused, then those of the timed pass."""
        if not self.timed:
            return ()
        reused = (QueryTime(name, seconds, reused=True) for name, seconds in self.reused.items())
        outcomes = self.result.outcomes
        return (*reused, *(QueryTime(one.query_id, one.seconds) for one in outcomes))

    def followed_by(self, rest: Passes) -> Passes:
        """With those over the other queries, whose total holds this one's times already.

        Nothing is reused then: what counts beside the rest's times was measured too.
        """
        whole = replace(rest, measured_s=self.measured_s + rest.measured_s, spent=0.0)
        if not rest.timed:
            return whole
        outcomes = (*self.result.outcomes, *rest.result.outcomes)
        probe_s = _mean_probe(self, rest)
        return replace(whole, result=replace(rest.result, outcomes=outcomes), probe_s=probe_s)

    def confirmed_by(self, again: Passes) -> Passes:
        """With a second timed pass over the same queries; the means of both are what counts."""
        both = replace(again, measured_s=self.measured_s + again.measured_s)
        first, second = self.result, again.result
        if second.status is not TrialStatus.SUCCEEDED:
            return both
        earlier = {one.query_id: one.seconds for one in first.outcomes}
        outcomes = tuple(
            replace(one, seconds=fmean([earlier[one.query_id], one.seconds]))
            for one in second.outcomes
        )
        mean = replace(second, outcomes=outcomes, total=fmean([first.total, second.total]))
        return replace(both, result=mean, probe_s=_mean_probe(self, again))

    def explained(self, reason: str) -> Passes:
        """See `Run.explained`."""
        message = f"{reason}; {self.result.message}"
        return replace(self, result=replace(self.result, message=message))


def run_passes(
    connection: Connection,
    savings: Savings,
    warm_passes: int,
    warmth: Warmth,
    *,
    steady: bool = False,
) -> Passes:
    """Warm passes, then the timed one, ending with the first that does not succeed.

    A trial that may be the best has passes over the queries that it reused times of, and
    a second timed pass over all.

    Args:
        warmth: what the server has read so far; kept up where `savings` knows the plans.
        steady: probe the machine's pace between the queries.
    """
    run = partial(_run_passes, connection, warmth=warmth, steady=steady)
    passes = run(savings, warm_passes)
    if savings.rest and _may_be_best(passes, savings):
        measured_s = passes.result.total - savings.spent
        passes = passes.followed_by(run(savings.for_the_rest(measured_s), warm_passes))
    if _may_be_best(passes, savings):
        passes = passes.confirmed_by(run(savings.once_more(), warm_passes=0))
    return passes


def _may_be_best(passes: Passes, savings: Savings) -> bool:
    return passes.status is TrialStatus.SUCCEEDED and passes.result.total < savings.to_beat


def _run_passes(
    connection: Connection,
    savings: Savings,
    warm_passes: int,
    *,
    warmth: Warmth,
    steady: bool,
) -> Passes:
    observed, limits = partial(_observed, connection, savings, warmth), savings.limits
    run, meter = metered(observed, connection, steady, len(savings.queries))
    measured_s = 0.0
    for _ in range(warm_passes):
        warm = warmth.on(connection) if savings.plans else frozenset()
        chosen = savings.to_warm(warm)
        rest = [query for query in savings.queries if query not in chosen]
        warmed = warm_pass(run, chosen, limits, savings.spent + limits.least(rest))
        measured_s += warmed.query_seconds
        if warmed.status is not TrialStatus.SUCCEEDED:
            return Passes(warmed, measured_s, probe_s=meter.mean if meter else None)
        limits = _learned(limits, warmed)
    if savings.plans:
        _touch_catalog(connection, savings)
    run, meter = metered(observed, connection, steady, len(savings.queries))
    timed = run_pass(run, savings.queries, limits, savings.spent)
    return Passes(
        timed,
        measured_s + timed.query_seconds,
        timed=True,
        reused=savings.reused,
        spent=savings.spent,
        probe_s=meter.mean if meter else None,
    )


def _mean_probe(*passes: Passes) -> float | None:
    """Of several passes, each for as long as its queries ran."""
    known = [
        (each.probe_s, each.result.query_seconds) for each in passes if each.probe_s is not None
    ]
    return fmean(*zip(*known, strict=True)) if known else None


def _observed(
    connection: Connection, savings: Savings, warmth: Warmth, query: Query, timeout_s: float
) -> QueryOutcome:
    """Run the query, and note what the server has read for it."""
    outcome = run_query(connection, query, timeout_s)
    if outcome.status is TrialStatus.SUCCEEDED and savings.plans:
        warmth.add(savings.plans[query.id])
    return outcome


def _learned(limits: Limits, warmed: PassResult) -> Limits:
    """Where lower bounds are in use, the warm pass gives those of this very configuration."""
    if not limits.bounds:
        return limits
    return limits.raised({one.query_id: one.seconds / WARM_FACTOR for one in warmed.outcomes})


def _touch_catalog(connection: Connection, savings: Savings) -> None:
    """Plan a few queries, so that a new session knows all relations before it is timed.

    A warm pass over all queries does so by the way. What goes wrong here goes wrong
    again when the query is run.
    """
    for query in savings.to_warm(frozenset()):
        planned = replace(query, sql=f"EXPLAIN {query.sql}", writes=False)
        run_query(connection, planned, savings.limits.query_timeout_s)
