"""Measure a workload under a configuration on a real server."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter

from llmtune.benchmark.cheap import CheapTrials
from llmtune.benchmark.each_query import time_each
from llmtune.benchmark.machine_lock import machine_lock
from llmtune.benchmark.measure_options import MeasureOptions
from llmtune.benchmark.pace import PaceKeeper, at_pace, steadied, steady_outcomes
from llmtune.benchmark.passes import Passes
from llmtune.benchmark.queries import READ_ONLY, QueryOutcome
from llmtune.benchmark.query_plans import QueryPlans
from llmtune.benchmark.savings import Saver, Savings
from llmtune.benchmark.timed_pass import Limits, PassResult
from llmtune.benchmark.trial_session import run_passes
from llmtune.benchmark.under_configuration import UnderConfiguration
from llmtune.benchmark.warmth import Warmth
from llmtune.errors import ConnectionFailed, QueryFailed, TargetError
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.data_size import data_size
from llmtune.postgres.hidden_work import own_functions
from llmtune.postgres.originals import Journal
from llmtune.postgres.target import Connection, Target, why_lost
from llmtune.postgres.what_if import WhatIfFeatures
from llmtune.postgres.what_if_plans import WhatIfPlans
from llmtune.trial import Trial, TrialStatus
from optimizers.what_if import WhatIf
from workloads.objective import Objective
from workloads.workload import Workload


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
        """Remember the target's original settings.

        Args:
            journal: of a server that outlives us, told before each change.
        """
        self.space = space
        self.workload = workload
        self._target = target
        self._database = database
        self._options = options or MeasureOptions()
        self._configured = UnderConfiguration(target, space, journal, database)
        self._plans = WhatIfPlans(target, database, workload, space)
        self._saver: Saver | None = None
        self._warmth = Warmth()
        self._pace = PaceKeeper()

    @property
    def objective(self) -> Objective:
        """What a trial's value means."""
        return self.workload.objective

    @property
    def steady(self) -> bool:
        """Whether the machine's pace is taken out of the times."""
        return self._options.steady

    def keep_pace(self, reference_s: float) -> None:
        """See `Paced`; raw times have no pace to keep."""
        if self._options.steady:
            self._pace.keep(reference_s)

    def what_if(self) -> WhatIf:
        """See `Planned`.

        Its looks are its own, also at what cheap trials have looked at: of several sessions
        that are compared on this benchmark none may ask in less time for another's looks.
        """
        features = WhatIfFeatures(self._target, self._database, self.workload, self.space)
        return QueryPlans(features, self.workload)

    def measure(
        self, configuration: Configuration, *, number: int, source: str, cap: float | None = None
    ) -> Trial:
        """Apply, read back, warm up and time the workload once.

        Args:
            cap: stop when the objective is sure to exceed this, in its unit; at the last pace.
        """
        return self._trial(
            configuration, number, source, lambda: Savings(self.workload.queries, self._limits(cap))
        )

    def measure_cheaply(
        self,
        configuration: Configuration,
        *,
        number: int,
        source: str,
        cheap: CheapTrials,
        earlier: Sequence[Trial],
        cap: float | None = None,
    ) -> Trial:
        """As `measure`, without the work that `earlier` trials make needless.

        What is run follows from the arguments and the plans alone; how much of it has
        to be warmed, from what the running server has read for this benchmark.
        """

        def savings() -> Savings:
            times = at_pace(earlier, self._present())
            return self._savings(configuration, cheap, times, self._limits(cap))

        return self._trial(configuration, number, source, savings)

    def _limits(self, cap: float | None) -> Limits:
        present = math.inf if cap is None else cap * self._present()
        return Limits(self._options.query_timeout_s, present)

    def _present(self) -> float:
        return self._pace.now(partial(self._target.connect, self._database))

    def _savings(
        self,
        configuration: Configuration,
        cheap: CheapTrials,
        earlier: Sequence[Trial],
        limits: Limits,
    ) -> Savings:
        try:
            if self._saver is None:
                self._saver = self._new_saver()
            savings = self._saver.savings(configuration, cheap, earlier, limits)
            return replace(savings, probe_s=self._pace.probe_s)
        except (QueryFailed, TargetError):
            # Whatever is wrong, a full measurement tells it as the trial's status.
            return Savings(self.workload.queries, limits)

    def _new_saver(self) -> Saver:
        with self._target.connect(self._database) as connection:
            data, functions = data_size(connection), own_functions(connection)
        return Saver(self.workload.queries, self.space, self._plans, data, functions)

    def _trial(
        self,
        configuration: Configuration,
        number: int,
        source: str,
        savings: Callable[[], Savings],
    ) -> Trial:
        with machine_lock():
            start = perf_counter()
            passes = self._run(configuration, savings())
            wall_s = perf_counter() - start
        before, pace = self._pace.present, self._pace.take(passes.probe_s)
        trial = Trial(
            number=number,
            source=source,
            configuration=configuration,
            status=passes.status,
            value=passes.value,
            query_times=passes.query_times,
            wall_s=wall_s,
            measured_s=passes.measured_s,
            message=passes.last.message,
        )
        if pace is None:
            return trial
        return steadied(trial, pace, spent=passes.reused_s, reused_at=before)

    def measure_queries(
        self, configuration: Configuration, timeouts_s: Mapping[str, float]
    ) -> tuple[QueryOutcome, ...]:
        """Time every query by itself; one that fails or times out does not end the rest.

        The passes are those of `measure`, and so is the pace of their seconds; a query
        that does not succeed while warming is not run again.

        Args:
            timeouts_s: limit in seconds for each query id, as `time_each` has it but at the
                reference pace; the options' for the others.

        Raises:
            ServerDidNotStart, ReadBackMismatch: the configuration cannot be applied.
            ConnectionFailed: the server died meanwhile; it is up again.
        """
        with machine_lock():
            try:
                settings = self._configured.apply(configuration)
                with self._session(settings) as session:
                    return self._each(session, timeouts_s)
            except ConnectionFailed as error:
                reason = why_lost(self._target)
                self._target.recover()
                raise ConnectionFailed(f"{reason}; {error}" if reason else str(error)) from error

    def _each(
        self, connection: Connection, timeouts_s: Mapping[str, float]
    ) -> tuple[QueryOutcome, ...]:
        present = self._present()
        limits_s = {name: seconds * present for name, seconds in timeouts_s.items()}
        outcomes, probe_s = time_each(connection, self.workload.queries, self._options, limits_s)
        return steady_outcomes(outcomes, self._pace.take(probe_s))

    def _run(self, configuration: Configuration, savings: Savings) -> Passes:
        """Every pass that was run. The server is up afterwards."""

        def work(settings: Mapping[str, str]) -> Passes:
            with self._session(settings) as session:
                return run_passes(
                    session,
                    savings,
                    self._options.warm_passes,
                    self._warmth,
                    steady=self._options.steady,
                )

        return self._configured.run(configuration, work, _nothing_ran)

    def _session(self, settings: Mapping[str, str]) -> Connection:
        """A connection for the queries, where one that is not known to write cannot."""
        return self._target.connect(self._database, {**settings, **READ_ONLY})


def _nothing_ran(status: TrialStatus, reason: str) -> Passes:
    return Passes(last=PassResult(status, 0.0, (), reason))
