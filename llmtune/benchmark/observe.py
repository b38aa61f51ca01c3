"""Measure configurations by the traffic that is there anyway: nothing is run but our counters."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter

from llmtune.benchmark.machine_lock import machine_lock
from llmtune.benchmark.observe_compare import compare, mean_times
from llmtune.benchmark.observe_verdict import Seen, Trialled, described, uncounted, unlike
from llmtune.benchmark.observe_window import Judge, Pause, Watched, WindowOptions, watch_settled
from llmtune.benchmark.under_configuration import UnderConfiguration
from llmtune.errors import SessionError
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.knob import Effect
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.originals import Journal
from llmtune.postgres.target import Target
from llmtune.postgres.traffic import Traffic, pooled
from llmtune.postgres.traffic_reader import traffic_reader
from llmtune.trial import QueryTime, Trial, TrialStatus
from workloads.objective import Direction, Objective
from workloads.workload import Workload

MEAN_TIME = Objective("mean time", "ms", Direction.MINIMIZE)
"""Of a call, for the statements of the first baseline window in their mix."""

ATTEMPTS = 3
"""Windows for one trial until it has failed."""

POOLED = 2
"""Baseline windows that a trial is compared with."""

NAMED_STATEMENTS = 20
"""Whose mean times a trial keeps."""

Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ObservedWorkload(Workload):
    """Production traffic; its queries, which may be none, are for EXPLAIN alone."""

    def __post_init__(self) -> None:
        """There is nothing to check: nothing of it is run."""


class ObserveBenchmark:
    """Measures a configuration over a window of a live server's own traffic.

    A trial's value is the ratio of its statements' times to those in the last
    windows under the original settings, so a slow drift of the traffic cancels. A
    configuration that turns out worse than those by more than the limit is taken
    back within the window, and its trial is CAPPED at the limit.

    Sessions take new settings with their next statement, but plans that they keep, of
    prepared statements, are made anew only when the server has another reason to.
    """

    objective = MEAN_TIME

    def __init__(
        self,
        target: Target,
        space: KnobSpace,
        options: WindowOptions,
        journal: Journal | None = None,
        on_notice: Notice = lambda _: None,
        reference_ms: float | None = None,
        *,
        pause: Pause = time.sleep,
    ) -> None:
        """Remember the target's original settings; nothing is changed yet.

        Args:
            space: of knobs that a reload changes for all sessions.
            on_notice: told of roll-backs and of windows that do not count.
            reference_ms: the value of the original settings, where a session goes
                on; None: the first window's mean time.
            pause: waits for so many seconds.

        Raises:
            ConnectionFailed, TargetError: the settings cannot be read or changed.
        """
        if any(knob.effect is not Effect.RELOAD for knob in space.knobs):
            raise ValueError("traffic of others is only reached by knobs that a reload changes")
        self.space = space
        self._target = target
        self._options = options
        self._notice = on_notice
        self._reference = reference_ms
        self._pause = pause
        self._configured = UnderConfiguration(target, space, journal)
        self._in_force = space.baseline()
        self._baselines: tuple[Traffic, ...] = ()
        self._differences: list[float] = []
        self._since = 0

    def measure(
        self, configuration: Configuration, *, number: int, source: str, cap: float | None = None
    ) -> Trial:
        """Apply, let settle, and watch one window; the original settings count as a baseline.

        Raises:
            SessionError: there is no window under the original settings to compare with.
            TargetError: the original settings could not be put back.
        """
        with machine_lock():
            start = perf_counter()
            seen = self._seen(configuration, cap)
            wall_s = perf_counter() - start
        named = {} if seen.traffic is None else mean_times(seen.traffic, NAMED_STATEMENTS)
        return Trial(
            number=number,
            source=source,
            configuration=configuration,
            status=seen.status,
            value=None if seen.ratio is None else seen.ratio * self._reference_ms,
            query_times=tuple(QueryTime(f"{base}:{one}", s) for (base, one), s in named.items()),
            wall_s=wall_s,
            measured_s=seen.seconds,
            message=seen.message,
        )

    @property
    def _reference_ms(self) -> float:
        assert self._reference is not None  # noqa: S101  the first baseline sets it
        return self._reference

    def _seen(self, configuration: Configuration, cap: float | None) -> Seen:
        if configuration == self.space.baseline():
            return self._baseline()
        seconds = 0.0
        for _ in range(ATTEMPTS):
            if not self._baselines or self._since >= self._options.baseline_every:
                seconds += self._baseline().seconds
            seen = self._trial(configuration, cap)
            seconds += seen.seconds
            if not seen.void:
                break
            self._notice(f"a window does not count: {seen.message}")
            self._since = self._options.baseline_every
        return replace(seen, seconds=seconds)

    def _trial(self, configuration: Configuration, cap: float | None) -> Seen:
        most = None if cap is None else cap / self._reference_ms
        limit, window_s = 1 + self._options.rollback, self._options.window_s
        trialled = Trialled(pooled(self._baselines), limit, most, self._noise, window_s)
        seen = self._window(configuration, trialled.judge, trialled.conclude)
        self._since += 1
        if seen.harmful or seen.status is TrialStatus.REJECTED:  # that may be half in force
            self._roll_back(seen.message)
        return seen

    @property
    def _noise(self) -> float:
        """By how much baseline windows differed so far; 0 before a second one."""
        return math.hypot(*self._differences) / math.sqrt(max(1, len(self._differences)))

    def _roll_back(self, message: str) -> None:
        """Put the original settings back, read them back, and let the server cool down.

        Raises:
            TargetError: they are not in force.
        """
        self._configured.apply(self.space.baseline())
        self._in_force = self.space.baseline()
        self._notice(message)
        self._pause(self._options.settle_s)

    def _baseline(self) -> Seen:
        """Watch the original settings.

        Raises:
            SessionError: no window counts.
        """
        for _ in range(ATTEMPTS):
            seen = self._window(self.space.baseline(), _never, self._taken)
            if seen.status is TrialStatus.SUCCEEDED:
                return seen
            if not seen.void:
                break
            self._notice(f"a baseline window does not count: {seen.message}")
        raise SessionError(f"the traffic under the original settings tells nothing: {seen.message}")

    def _taken(self, watched: Watched) -> Seen:
        """Keep a baseline window, and compare it with those before it."""
        traffic = watched.traffic
        if watched.lost is not None or traffic is None:
            return uncounted(watched)
        if self._reference is None:
            self._reference = 1000 * traffic.busy_seconds / traffic.calls
        ratio, said = 1.0, described(traffic)
        if self._baselines:
            comparison = compare(pooled(self._baselines), traffic)
            other = unlike(comparison)
            if other:
                self._notice(f"the traffic is another than before and counts anew: {other}")
                self._baselines = ()
            else:
                ratio, said = comparison.ratio, described(traffic, comparison)
                self._differences.append(ratio - 1)
        self._baselines = (*self._baselines, traffic)[-POOLED:]
        self._since = 0
        return Seen(TrialStatus.SUCCEEDED, said, ratio, traffic=traffic)

    def _window(
        self,
        configuration: Configuration,
        judge: Judge,
        take: Callable[[Watched], Seen],
    ) -> Seen:
        """Apply the configuration and watch; `take` says what was seen."""

        def work(_: Mapping[str, str]) -> Seen:
            changed, self._in_force = self._in_force != configuration, configuration
            with traffic_reader(self._target) as reader:
                start = perf_counter()
                watched = watch_settled(reader, self._options, judge, self._pause, settle=changed)
                return replace(take(watched), seconds=perf_counter() - start)

        return self._configured.run(configuration, work, Seen)


def _never(_: Traffic) -> None:
    """The original settings are not taken back."""
