"""The passes of one trial on one connection: warm as needed, then time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import TypeAlias

from psycopg import sql

from llmtune.benchmark.pace import metered
from llmtune.benchmark.queries import QueryOutcome, run_query
from llmtune.benchmark.savings import Savings
from llmtune.benchmark.timed_pass import (
    WARM_FACTOR,
    Limits,
    PassResult,
    RunQuery,
    run_pass,
    warm_pass,
)
from llmtune.benchmark.warmth import Warmth
from llmtune.postgres.target import Connection
from llmtune.trial import QueryTime, TrialStatus
from workloads.workload import Query

OnePass: TypeAlias = Callable[[RunQuery, Sequence[Query], Limits, float], PassResult]
"""`run_pass` or `warm_pass`."""

BEGUN = PassResult(TrialStatus.SUCCEEDED, 0.0, ())


@dataclass(frozen=True, slots=True)
class Passes:
    """What the passes of one trial have come to so far.

    Attributes:
        reused: seconds of the queries that none of them has run.
        timed: seconds of those that were timed, in the order in which they ran; the means
            where all were timed twice. Where a pass that warms ended the trial, the query in
            which it did comes last, with the seconds that it would take at the least.
        last: how the last one ended, which decides.
        measured_s: unweighted seconds in which queries ran, in all passes, and tables were read.
        probe_s: mean seconds of the pace probe while they were timed; None: there was none.
    """

    reused: Mapping[Query, float] = field(default_factory=dict)
    timed: Mapping[Query, float] = field(default_factory=dict)
    last: PassResult = BEGUN
    measured_s: float = 0.0
    probe_s: float | None = None

    @property
    def status(self) -> TrialStatus:
        """The last one's."""
        return self.last.status

    @property
    def total(self) -> float:
        """Weighted seconds of what was timed and of what was reused."""
        return _weighted(self.timed) + self.reused_s

    @property
    def reused_s(self) -> float:
        """What reused times have of it."""
        return _weighted(self.reused)

    @property
    def value(self) -> float | None:
        """The total, or the cap that stopped the last pass; None where it failed."""
        if self.status is TrialStatus.CAPPED:
            return self.last.total
        return self.total if self.status is TrialStatus.SUCCEEDED else None

    @property
    def query_times(self) -> tuple[QueryTime, ...]:
        """Those that were reused, then those that were timed."""
        if not self.timed:
            return ()
        reused = (QueryTime(one.id, seconds, reused=True) for one, seconds in self.reused.items())
        timed = (QueryTime(one.id, seconds) for one, seconds in self.timed.items())
        return (*reused, *timed)

    def without(self, queries: Sequence[Query]) -> Passes:
        """Nothing reused of these queries, which are to be run."""
        left = {one: seconds for one, seconds in self.reused.items() if one not in queries}
        return replace(self, reused=left)

    def warmed(self, queries: Sequence[Query], warm: PassResult) -> Passes:
        """With a pass over queries that warms, which ends the trial unless it succeeds.

        Of its times only that of the query which did not come to its end is told, behind
        those that were timed before: as the last of a trial that did not succeed it is taken
        for no complete one. Where the pass ended between two queries no times are told.
        """
        passes = replace(self, measured_s=self.measured_s + warm.query_seconds)
        if warm.status is TrialStatus.SUCCEEDED:
            return passes
        stopped = _stopped(queries, warm)
        timed = {**self.timed, **stopped} if stopped else {}
        return replace(passes, timed=timed, last=warm, probe_s=self._mean_probe(warm))

    def with_timed(self, queries: Sequence[Query], timed: PassResult) -> Passes:
        """With a timed pass over queries, as far as it came."""
        return replace(
            self,
            timed={**self.timed, **_seconds(queries, timed)},
            last=timed,
            measured_s=self.measured_s + timed.query_seconds,
            probe_s=self._mean_probe(timed),
        )

    def timed_again(self, again: PassResult) -> Passes:
        """With a second timed pass over all queries; the means of both are what counts.

        One that does not succeed decides, and has no other times than its own.
        """
        queries = tuple(self.timed)
        both, second = self.with_timed(queries, again), _seconds(queries, again)
        if again.status is not TrialStatus.SUCCEEDED:
            return replace(both, timed=second, probe_s=again.probe_s)
        return replace(both, timed={q: fmean([self.timed[q], second[q]]) for q in queries})

    def explained(self, reason: str) -> Passes:
        """See `Run.explained`."""
        return replace(self, last=replace(self.last, message=f"{reason}; {self.last.message}"))

    def _mean_probe(self, timed: PassResult) -> float | None:
        """Of all timed passes, each for as long as its queries ran."""
        if self.probe_s is None or timed.probe_s is None:
            return self.probe_s or timed.probe_s
        seconds = [sum(self.timed.values()), timed.query_seconds]
        return fmean([self.probe_s, timed.probe_s], seconds)


def _weighted(times: Mapping[Query, float]) -> float:
    return sum(query.weight * seconds for query, seconds in times.items())


def _seconds(queries: Sequence[Query], result: PassResult) -> dict[Query, float]:
    """Of the queries as far as the pass came."""
    return {q: one.seconds for q, one in zip(queries, result.outcomes, strict=False)}


def _stopped(queries: Sequence[Query], warm: PassResult) -> dict[Query, float]:
    """The query in which a pass that warms was stopped, and what it would take when timed."""
    return {
        query: one.seconds / WARM_FACTOR
        for query, one in zip(queries, warm.outcomes, strict=False)
        if one.status is not TrialStatus.SUCCEEDED
    }


def run_passes(
    connection: Connection,
    savings: Savings,
    warm_passes: int,
    warmth: Warmth,
    *,
    steady: bool = False,
) -> Passes:
    """Warm passes, then the timed one, ending with the first that does not succeed.

    A trial that may be the best has passes over the queries that it reused times of, and,
    unless it surely is the best, a second timed pass over all.

    Args:
        warmth: what the server has read so far; kept up where `savings` knows the plans.
        steady: probe the machine's pace between the queries.
    """
    session = _Session(connection, savings, warm_passes, warmth, steady)
    passes = session.run(savings.queries, Passes(savings.reused))
    if passes.reused and _ended(passes) and savings.may_be_best(passes.total, passes.probe_s):
        passes = session.run(tuple(passes.reused), passes)
    if _ended(passes) and savings.in_doubt(passes.total, passes.probe_s):
        passes = session.run_again(passes)
    return passes


def _ended(passes: Passes) -> bool:
    return passes.status is TrialStatus.SUCCEEDED


def _whole(table: str) -> sql.Composed:
    every_page = sql.SQL("SELECT count(*) FROM {} TABLESAMPLE SYSTEM (100)")
    return every_page.format(sql.Identifier(table))


@dataclass(frozen=True, slots=True)
class _Session:
    """One connection under the trial's configuration, and how the trial is measured on it."""

    connection: Connection
    savings: Savings
    warm_passes: int
    warmth: Warmth
    steady: bool

    def run(self, queries: Sequence[Query], passes: Passes) -> Passes:
        """Warm for queries and time them; what else counts so far counts towards the cap."""
        passes, limits = passes.without(queries), self.savings.limits
        spent = passes.total
        for _ in range(self.warm_passes):
            passes = self._tables_read(queries, passes)
            chosen = self._to_warm(queries)
            rest = limits.least(query for query in queries if query not in chosen)
            warm = self._watched(warm_pass, chosen, limits, spent + rest, probes=len(queries))
            passes = passes.warmed(chosen, warm)
            if passes.status is not TrialStatus.SUCCEEDED:
                return passes
            limits = _learned(limits, warm)
        return passes.with_timed(queries, self._timed(queries, limits, spent))

    def run_again(self, passes: Passes) -> Passes:
        """Time all queries once more: to their end, however long they take.

        That the total stays below the cap is known from the first time. A cap would make of
        a machine that stalls just then a bound that the real total does not lie beyond.
        """
        limits = Limits(self.savings.limits.query_timeout_s)
        return passes.timed_again(self._timed(tuple(passes.timed), limits, spent=0.0))

    def _tables_read(self, queries: Sequence[Query], passes: Passes) -> Passes:
        """With whole tables read; those that cannot be read so are left to queries.

        A sample of all pages is a scan of the table whatever the planner's knobs are.
        """
        measured_s = passes.measured_s
        for table in sorted(self.savings.to_read(queries, self._warm())):
            reading = Query(table, _whole(table).as_string(self.connection), table)
            outcome = run_query(self.connection, reading, self.savings.limits.query_timeout_s)
            measured_s += outcome.seconds
            if outcome.status is TrialStatus.SUCCEEDED:
                self.warmth.read.add(table)
        return replace(passes, measured_s=measured_s)

    def _to_warm(self, queries: Sequence[Query]) -> Sequence[Query]:
        return self.savings.to_warm(queries, self._warm())

    def _warm(self) -> frozenset[str]:
        return self.warmth.on(self.connection) if self.savings.plans else frozenset()

    def _timed(self, queries: Sequence[Query], limits: Limits, spent: float) -> PassResult:
        if self.savings.plans:
            self._touch_catalog(queries)
        return self._watched(run_pass, queries, limits, spent, probes=len(queries))

    def _watched(
        self, one: OnePass, queries: Sequence[Query], limits: Limits, spent: float, *, probes: int
    ) -> PassResult:
        """A pass with probes behind its queries, as often as a pass over so many deserves."""
        run, meter = metered(self._observed, self.connection, self.steady, probes)
        result = one(run, queries, limits, spent)
        return replace(result, probe_s=meter.mean if meter else None)

    def _observed(self, query: Query, timeout_s: float) -> QueryOutcome:
        """Run the query, and note what the server has read for it."""
        outcome = run_query(self.connection, query, timeout_s)
        if outcome.status is TrialStatus.SUCCEEDED and self.savings.plans:
            self.warmth.add(self.savings.plans[query.id])
        return outcome

    def _touch_catalog(self, queries: Sequence[Query]) -> None:
        """Plan a few queries, so that a new session knows all relations before it is timed.

        A warm pass over all queries does so by the way. What goes wrong here goes wrong
        again when the query is run.
        """
        for query in self.savings.to_plan(queries):
            planned = replace(query, sql=f"EXPLAIN {query.sql}", writes=False)
            run_query(self.connection, planned, self.savings.limits.query_timeout_s)


def _learned(limits: Limits, warmed: PassResult) -> Limits:
    """Where lower bounds are in use, the warm pass gives those of this very configuration."""
    if not limits.bounds:
        return limits
    return limits.raised({one.query_id: one.seconds / WARM_FACTOR for one in warmed.outcomes})
