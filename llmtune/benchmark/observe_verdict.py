"""What a window of traffic says of the configuration that it ran under. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

from llmtune.benchmark.observe_compare import Comparison, compare, with_running
from llmtune.benchmark.observe_window import Few, Stop, Watched
from llmtune.postgres.traffic import Traffic
from llmtune.trial import TrialStatus

LEAST_COVERAGE = 0.5
MOST_LOAD = 2.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one window.

    Attributes:
        ratio: time over the baseline's; None unless `status` is SUCCEEDED or CAPPED.
        seconds: of watching.
        traffic: of a window that ran to its end.
        harmful: the original settings must come back at once.
        void: the window does not count for a reason that may pass.
    """

    status: TrialStatus
    message: str = ""
    ratio: float | None = None
    seconds: float = 0.0
    traffic: Traffic | None = None
    harmful: bool = False
    void: bool = False

    def explained(self, reason: str) -> Self:
        """See `Run.explained`."""
        return replace(self, message=f"{reason}; {self.message}")


@dataclass(frozen=True, slots=True)
class Trialled:
    """A configuration's window is judged against these.

    Attributes:
        baseline: traffic under the original settings.
        limit: times the baseline's time from which on the configuration is harmful.
        cap: times the baseline's time from which on it is no candidate any more.
        noise: by how much windows under the original settings differ, as a share.
        window_s: how long those are.
    """

    baseline: Traffic
    limit: float
    cap: float | None = None
    noise: float = 0.0
    window_s: float = 0.0

    def judge(self, so_far: Traffic) -> Stop | None:
        """End the window when it is over the limit and no chance, or surely over the cap."""
        now = with_running(self.baseline, so_far)
        comparison = compare(self.baseline, now, least=1)
        # A short span is disturbed more than a whole window.
        noise = self.noise * math.sqrt(max(1.0, self.window_s / so_far.seconds))
        if comparison.ratio > self.limit and comparison.surely_over(1.0, noise):
            return Stop(comparison, harmful=True)
        if self.cap is not None and comparison.surely_over(self.cap, noise):
            return Stop(comparison, harmful=False)
        return None

    def conclude(self, watched: Watched) -> Seen:
        """What the window says when it has ended."""
        traffic, stop = watched.traffic, watched.stop
        if watched.lost is not None or traffic is None:
            return uncounted(watched)
        if stop is not None:
            return self._stopped(stop, traffic.seconds)
        comparison = compare(self.baseline, traffic)
        unfit = unlike(comparison)
        if unfit:
            return Seen(TrialStatus.FAILED, unfit, void=True)
        said = described(traffic, comparison)
        return Seen(TrialStatus.SUCCEEDED, said, comparison.ratio, traffic=traffic)

    def _stopped(self, stop: Stop, seconds: float) -> Seen:
        found = f"statements took {stop.comparison.ratio:.2f} times the baseline's time"
        if not stop.harmful:
            message = f"ended after {seconds:.3g} s: {found}"
            return Seen(TrialStatus.CAPPED, message, self.cap)
        message = (
            f"rolled back after {seconds:.3g} s: {found}, over the limit of {self.limit:.2f}; "
            "the original settings are in force again"
        )
        overload = _unlike_load(stop.comparison)
        if overload:  # whose fault it is cannot be told
            return Seen(TrialStatus.FAILED, f"{message}; {overload}", harmful=True, void=True)
        return Seen(TrialStatus.CAPPED, message, self.limit, harmful=True)


def uncounted(watched: Watched) -> Seen:
    """A span that says nothing; for more calls it was waited already."""
    lost = watched.lost
    reason = "" if lost is None else lost.reason
    if isinstance(lost, Few):
        reason += "; watch longer by --window, or accept fewer by --min-calls"
    return Seen(TrialStatus.FAILED, reason, void=not isinstance(lost, Few))


def unlike(comparison: Comparison) -> str:
    """Why two spans cannot be compared; empty where they can."""
    if not comparison.coverage >= LEAST_COVERAGE:
        return (
            f"only {comparison.coverage:.0%} of the time went into statements that the baseline "
            "windows have too"
        )
    return _unlike_load(comparison)


def described(traffic: Traffic, comparison: Comparison | None = None) -> str:
    """A window in words: how much was seen, and how much of it was compared."""
    compared = "" if comparison is None else f"{comparison.coverage:.0%} of the time compared, "
    return (
        f"{traffic.calls} calls, {compared}{traffic.tps:.3g} transactions/s, "
        f"{traffic.hit_share:.1%} of blocks from shared buffers, "
        f"{traffic.totals.temp_bytes >> 20} MiB of temporary files"
    )


def _unlike_load(comparison: Comparison) -> str:
    if 1 / MOST_LOAD <= comparison.load <= MOST_LOAD:
        return ""
    return f"there was {comparison.load:.2g} times the work of the baseline windows"
