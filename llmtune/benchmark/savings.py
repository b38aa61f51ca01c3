"""What a cheap trial runs: decided before it from earlier trials and from plans."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from llmtune.benchmark.cheap import CheapTrials
from llmtune.benchmark.history import History
from llmtune.benchmark.order import discriminating
from llmtune.benchmark.reuse import reusable
from llmtune.benchmark.timed_pass import Limits
from llmtune.benchmark.warmth import CachedTables, Warmth, cover, reads, scans
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.budget import budget
from llmtune.postgres.data_size import DataSize
from llmtune.postgres.hidden_work import calls_any, may_sort_within_aggregates
from llmtune.postgres.plans import PlanNode
from llmtune.postgres.run_conditions import Conditions, run_conditions
from llmtune.trial import Pace, Trial
from workloads.workload import Query

PlansUnder = Callable[[Configuration], Mapping[str, PlanNode]]
"""The plan of each query under a configuration; asked for only between timed queries."""


CACHED_SHARE = 0.5
"""Of its machine's memory: a database up to this size stays in the operating system's cache
while the server restarts. What an index leads to is then read back in less time than
warming would take; only whole tables are worth that, where shared buffers keep them, and to
read a table takes less time than a query does that scans it."""

DOUBT = 1.02
"""Times the best total so far, at the pace of the trial: what stays below it may turn out the
best. Noise is greater, but what it lets slip by is hardly better than the best, and a trial that
is timed twice takes the time of another one."""

BEYOND_DOUBT = 0.96
"""Times that total: what stays below this is hardly the luck of a single pass alone. What luck
there is stays in its time, as it does in a trial's without savings."""


@dataclass(frozen=True, slots=True)
class Savings:
    """How one trial is measured.

    Attributes:
        queries: what is run, in this order.
        limits: where it stops.
        reused: seconds of the queries that are not run, unless the trial may be the best.
        best: the least total so far, weighted seconds. A trial that may be better is
            measured whole, and a second time unless it surely is: else the best would be
            what luck made of a single pass, or of those that its times were reused from.
        probe_s: of the pace probe, seconds: the pace that `best` is of; None: not known.
        plans: of all queries; empty where every warm pass is a full one.
        typical: about how long queries take, seconds; empty where nothing is known.
        cached: where the whole database stays in memory when the server restarts, its tables
            and which of them shared buffers keep; None where it does not.
    """

    queries: tuple[Query, ...]
    limits: Limits
    reused: Mapping[Query, float] = field(default_factory=dict)
    best: float = -math.inf
    probe_s: float | None = None
    plans: Mapping[str, PlanNode] = field(default_factory=dict)
    typical: Mapping[str, float] = field(default_factory=dict)
    cached: CachedTables | None = None

    def may_be_best(self, timed: float, probe_s: float | None, reused: float = 0.0) -> bool:
        """Whether a trial might be.

        Args:
            timed: what was timed of its total, weighted seconds.
            probe_s: the pace that these are of.
            reused: the rest of its total, at the pace that `best` is of.
        """
        return self._at_pace_of_best(timed, probe_s) + reused < DOUBT * self.best

    def in_doubt(self, timed: float, probe_s: float | None) -> bool:
        """Whether another pass is needed to tell that it is, where nothing is reused."""
        total = self._at_pace_of_best(timed, probe_s)
        return BEYOND_DOUBT * self.best < total < DOUBT * self.best

    def _at_pace_of_best(self, seconds: float, probe_s: float | None) -> float:
        if self.probe_s is None or probe_s is None:
            return seconds
        return seconds / Pace(probe_s, self.probe_s).ratio

    def warm(self, warmth: Warmth) -> frozenset[str]:
        """What need not be read again: a table that buffers do not keep was read once for all."""
        once = warmth.ever - self.cached.kept if self.cached else frozenset()
        return frozenset(warmth.read | once)

    def to_read(self, queries: Sequence[Query], warm: frozenset[str]) -> frozenset[str]:
        """The tables to be read, instead of queries that scan them, before those are timed."""
        if self.cached is None:
            return frozenset()
        scanned = frozenset().union(*(scans(self.plans[query.id]) for query in queries))
        return (scanned & self.cached.names) - warm

    def to_warm(self, queries: Sequence[Query], warm: frozenset[str]) -> Sequence[Query]:
        """What has to be run before `queries` are timed, where `warm` has been read already."""
        if not self.plans:
            return queries
        reading = scans if self.cached else reads
        return cover(queries, self.plans, warm, self._seconds, reading)

    def to_plan(self, queries: Sequence[Query]) -> Sequence[Query]:
        """Those to be planned, so that a new session knows every relation of `queries`."""
        return cover(queries, self.plans, frozenset(), self._seconds)

    def _seconds(self, query: Query) -> float:
        return self.typical.get(query.id, self.plans[query.id].total_cost)


class Saver:
    """Decides the savings of one workload's trials: a pure function but for the plans."""

    def __init__(
        self,
        queries: Sequence[Query],
        space: KnobSpace,
        plans: PlansUnder,
        data: DataSize,
        functions: frozenset[str] = frozenset(),
    ) -> None:
        """Take what the database has.

        Args:
            functions: names of those whose statements no plan shows: see `own_functions`.
        """
        self._queries = tuple(queries)
        self._opaque = {query.id for query in queries if calls_any(query.sql, functions)}
        self._sorting = {query.id for query in queries if may_sort_within_aggregates(query.sql)}
        self._space = space
        self._plans = plans
        self._data = data
        self._conditions: dict[tuple[str, Configuration], Conditions] = {}

    def savings(
        self,
        configuration: Configuration,
        cheap: CheapTrials,
        earlier: Sequence[Trial],
        limits: Limits,
    ) -> Savings:
        """How to measure `configuration` after the trials `earlier`.

        Raises:
            QueryFailed, TargetError: it cannot be planned.
        """
        history = History(earlier)
        reused = self._reused(configuration, history) if cheap.reuse else {}
        queries = tuple(query for query in self._queries if query not in reused)
        if cheap.order and limits.cap < math.inf:
            default = self._plans(self._space.baseline())
            queries = discriminating(queries, history, default, self._plans(configuration))
        return Savings(
            queries,
            limits.raised(history.fastest()) if cheap.bounds else limits,
            reused,
            best=min(
                (one.value for one in earlier if one.succeeded and one.value), default=math.inf
            ),
            plans=self._plans(configuration) if cheap.skip_warm else {},
            typical=self._typical(history),
            cached=self._cached(configuration) if cheap.skip_warm else None,
        )

    def _cached(self, configuration: Configuration) -> CachedTables | None:
        if self._data.database > CACHED_SHARE * self._space.hardware.memory:
            return None
        buffers = budget(configuration, self._space).shared_buffers
        return CachedTables(frozenset(self._data.tables), self._data.kept_in(buffers))

    def _reused(self, configuration: Configuration, history: History) -> dict[Query, float]:
        known = reusable(self._queries, history, configuration, self._conditions_of)
        return {query: known[query.id] for query in self._queries if query.id in known}

    def _conditions_of(self, query_id: str, configuration: Configuration) -> Conditions:
        key = (query_id, configuration)
        if query_id in self._opaque:
            return (configuration,)
        if key not in self._conditions:
            plan = self._plans(configuration)[query_id]
            self._conditions[key] = run_conditions(
                plan,
                configuration,
                self._space,
                self._data,
                sorts_within=query_id in self._sorting,
            )
        return self._conditions[key]

    def _typical(self, history: History) -> dict[str, float]:
        """Of all queries or of none, so that seconds are never held against costs."""
        known = {query.id: history.typical(query.id) for query in self._queries}
        times = {name: seconds for name, seconds in known.items() if seconds is not None}
        return times if len(times) == len(known) else {}
