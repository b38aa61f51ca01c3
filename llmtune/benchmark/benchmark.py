"""Measure a workload under a configuration on a real server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import perf_counter

from llmtune.benchmark.machine_lock import machine_lock
from llmtune.benchmark.queries import QueryOutcome, run_query
from llmtune.benchmark.timed_pass import PassResult, run_pass
from llmtune.benchmark.under_configuration import UnderConfiguration
from llmtune.errors import ConnectionFailed, UsageError
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.originals import Journal
from llmtune.postgres.target import Connection, Target, why_lost
from llmtune.trial import QueryTime, Trial, TrialStatus
from workloads.objective import Objective
from workloads.workload import Workload

WARM_CAP_FACTOR = 2.0
"""A warm pass may be slower than the timed one, but a configuration that takes
this many times the cap while warming cannot come in under it."""

LONGEST_TIMEOUT_S = 2_000_000.0
"""`statement_timeout` counts milliseconds in 31 bits."""


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """How trials are measured.

    Attributes:
        query_timeout_s: limit for one query, seconds.
        warm_passes: untimed passes before the timed one.
    """

    query_timeout_s: float = 300.0
    warm_passes: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.query_timeout_s <= LONGEST_TIMEOUT_S:
            raise UsageError(
                f"the limit for one query must be above 0 and at most {LONGEST_TIMEOUT_S:g} s, "
                f"not {self.query_timeout_s}"
            )
        if self.warm_passes < 0:
            raise UsageError(f"warm passes must not be negative: {self.warm_passes}")


@dataclass(frozen=True, slots=True)
class Passes:
    """All passes of one trial, at least one; the last one decides."""

    all: tuple[PassResult, ...]

    @property
    def status(self) -> TrialStatus:
        """The last one's."""
        return self.all[-1].status

    def explained(self, reason: str) -> Passes:
        """See `Run.explained`."""
        last = self.all[-1]
        return Passes((*self.all[:-1], replace(last, message=f"{reason}; {last.message}")))


class Benchmark:
    """Applies configurations to a target, runs a workload, returns trials.

    A configuration that the server cannot start on, a failing query or a time-out
    is a trial with that status, never an exception: after it the server is up
    again and the next configuration can be measured.
    """

    def __init__(
        self,
        target: Target,
        space: KnobSpace,
        workload: Workload,
        database: str,
        options: MeasureOptions | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.space = space
        self.workload = workload
        self._target = target
        self._database = database
        self._options = options or MeasureOptions()
        self._configured = UnderConfiguration(target, space, journal)

    @property
    def objective(self) -> Objective:
        """What a trial's value means."""
        return self.workload.objective

    def measure(
        self, configuration: Configuration, *, number: int, source: str, cap: float | None = None
    ) -> Trial:
        """Apply, read back, warm up and time the workload once.

        Args:
            cap: stop when the objective is sure to exceed this, in its unit.
        """
        with machine_lock():
            start = perf_counter()
            passes = self._run(configuration, cap)
            wall_s = perf_counter() - start
        last = passes.all[-1]
        timed = last.outcomes if len(passes.all) > self._options.warm_passes else ()
        carries = last.status in (TrialStatus.SUCCEEDED, TrialStatus.CAPPED)
        return Trial(
            number=number,
            source=source,
            configuration=configuration,
            status=last.status,
            value=last.total if carries else None,
            query_times=tuple(QueryTime(o.query_id, o.seconds) for o in timed),
            wall_s=wall_s,
            measured_s=sum(each.query_seconds for each in passes.all),
            message=last.message,
        )

    def measure_queries(
        self, configuration: Configuration, timeouts_s: Mapping[str, float]
    ) -> tuple[QueryOutcome, ...]:
        """Time every query by itself; one that fails or times out does not end the rest.

        The passes are those of `measure`; a query that does not succeed while
        warming is not run again.

        Args:
            timeouts_s: limit in seconds for each query id; the options' for the others.

        Raises:
            ServerDidNotStart, ReadBackMismatch: the configuration cannot be applied.
            ConnectionFailed: the server died meanwhile; it is up again.
        """
        with machine_lock():
            try:
                settings = self._configured.apply(configuration)
                with self._target.connect(self._database, settings) as session:
                    return self._each(session, timeouts_s)
            except ConnectionFailed as error:
                reason = why_lost(self._target)
                self._target.recover()
                raise ConnectionFailed(f"{reason}; {error}" if reason else str(error)) from error

    def _each(
        self, connection: Connection, timeouts_s: Mapping[str, float]
    ) -> tuple[QueryOutcome, ...]:
        outcomes: dict[str, QueryOutcome] = {}
        for _ in range(self._options.warm_passes + 1):
            for query in self.workload.queries:
                last = outcomes.get(query.id)
                if last is None or last.status is TrialStatus.SUCCEEDED:
                    limit = timeouts_s.get(query.id, self._options.query_timeout_s)
                    outcome = outcomes[query.id] = run_query(connection, query, limit)
                    if outcome.status is TrialStatus.CRASHED:
                        raise ConnectionFailed(
                            f"the server went away in query {query.id}: {outcome.message}"
                        )
        return tuple(outcomes.values())

    def _run(self, configuration: Configuration, cap: float | None) -> Passes:
        """Every pass that was run. The server is up afterwards."""

        def work(settings: Mapping[str, str]) -> Passes:
            with self._target.connect(self._database, settings) as session:
                return Passes(tuple(self._passes(session, cap)))

        return self._configured.run(configuration, work, _nothing_ran)

    def _passes(self, connection: Connection, cap: float | None) -> list[PassResult]:
        """Warm passes, then the timed one, ending with the first that does not succeed."""
        warm_cap = None if cap is None else cap * WARM_CAP_FACTOR
        caps = [warm_cap] * self._options.warm_passes + [cap]
        passes: list[PassResult] = []
        for limit in caps:
            result = run_pass(connection, self.workload, self._options.query_timeout_s, limit)
            if result.status is TrialStatus.CAPPED and cap is not None:
                # Also when capped later, while warming: it says no more than that.
                result = replace(result, total=cap)
            passes.append(result)
            if result.status is not TrialStatus.SUCCEEDED:
                break
        return passes


def _nothing_ran(status: TrialStatus, reason: str) -> Passes:
    return Passes((PassResult(status, 0.0, (), reason),))
