"""One trial on one connection: warm as needed, then time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from psycopg import sql

from llmtune.benchmark.pace import metered
from llmtune.benchmark.passes import Passes
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
from llmtune.trial import TrialStatus
from workloads.workload import Query

OnePass: TypeAlias = Callable[[RunQuery, Sequence[Query], Limits, float], PassResult]
"""`run_pass` or `warm_pass`."""


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
    reused = passes.reused_s
    if reused and passes.ended and savings.may_be_best(passes.timed_s, passes.probe_s, reused):
        passes = session.run(tuple(passes.reused), passes)
    if not passes.reused and passes.ended and savings.in_doubt(passes.timed_s, passes.probe_s):
        passes = session.run_again(passes)
    return passes


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
            if not passes.ended:
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
                self.warmth.note(frozenset({table}))
        return replace(passes, measured_s=measured_s)

    def _to_warm(self, queries: Sequence[Query]) -> Sequence[Query]:
        return self.savings.to_warm(queries, self._warm())

    def _warm(self) -> frozenset[str]:
        if not self.savings.plans:
            return frozenset()
        self.warmth.look(self.connection)
        return self.savings.warm(self.warmth)

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
