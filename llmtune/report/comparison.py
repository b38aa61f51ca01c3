"""Cold against warm sessions over several seeds: bands, time to target, speed-up.

For a seed, y* is the best value of the cold session, and T(y) the work until a
session's best is at least as good as y, inference and restarts included. The
speed-up of the seed is T_cold(y*) / T_warm(y*). Over seeds we give the median
and its bootstrap interval (see `Estimate`). A warm session that never reached y* counts as
a speed-up of 0, the worst there is, so that the median cannot profit from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmtune.errors import UsageError
from llmtune.report.arms import Arm
from llmtune.report.curve import Axis, Curve
from workloads.objective import Objective

RESAMPLES = 2000
INTERVAL_COUNT = 6
"""So many values are needed for the bootstrap interval of a median to leave any of them out:
with five, one resample in seventeen has the least of them for its median."""

BLOCK = 1 << 20
"""Resampled values that are held at once; a long comparison has thousands of positions."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median over `count` seeds with its bootstrap interval.

    That is meant to be one of 95%, but with fewer than six seeds it is no more than
    their span, which `span_coverage` judges.
    """

    median: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Band:
    """The median best-so-far over seeds, and its interval as of an `Estimate`, at each position.

    All of one length. None stands where half of the (resampled) sessions had
    no trial that succeeded yet.
    """

    axis: Axis
    positions: tuple[float, ...]
    median: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """How much less work the warm sessions needed to reach the cold ones' best.

    Attributes:
        ratios: for each seed in `seeds`; 0 where y* was never reached.
        targets: y* of each seed.
        needed: the work until y* of each seed; None where it was never reached.
        never_reached: in how many seeds that was so.
        skipped: seeds without any succeeded cold trial, so without a y*.
    """

    axis: Axis
    seeds: tuple[int, ...]
    ratios: tuple[float, ...]
    targets: tuple[float, ...]
    needed: tuple[float | None, ...]
    estimate: Estimate
    never_reached: int
    skipped: tuple[int, ...]

    @property
    def median_needed(self) -> float | None:
        """The median work until y*; None where half of the sessions never reached it."""
        found = float(np.median([np.inf if one is None else one for one in self.needed]))
        return found if np.isfinite(found) else None


@dataclass(frozen=True, slots=True)
class ZeroTrial:
    """How good the first suggestion is before anything was learnt from trials.

    Ratios above 1 mean that it is better; a suggestion that is the default counts as 1
    against it. One that failed or was stopped at the cap counts as 0: a bound says only how
    bad it is at least.

    Attributes:
        over_default: against the same session's first default trial.
        over_cold_best: against y*, the best of the cold session with that seed.
        failed: in how many seeds it failed or was stopped.
    """

    source: str
    over_default: Estimate | None
    over_cold_best: Estimate | None
    failed: int


def median_interval(values: Sequence[float], seed: int = 0) -> Estimate:
    """The median of `values` with a bootstrap percentile interval; infinities allowed."""
    low, median, high = _median_rows(np.asarray(values, dtype=np.float64)[None, :], seed)
    return Estimate(float(median[0]), float(low[0]), float(high[0]), len(values))


def span_coverage(count: int) -> float | None:
    """With what probability the span of `count` values holds the median of where they are from.

    All lie above it with probability 0.5 ** count, and as often all below. None where the
    bootstrap interval is not just the span.
    """
    return 1 - 0.5 ** (count - 1) if count < INTERVAL_COUNT else None


def band(arm: Arm, axis: Axis, seed: int = 0) -> Band:
    """The arm's median curve, at every position where one of its sessions has a trial."""
    positions = sorted({p.at(axis) for run in arm.runs for p in run.curve.points})
    missing = arm.objective.worst
    bests = [run.curve.best_at(positions, axis) for run in arm.runs]
    table = [
        [missing if best is None else best for best in row] for row in zip(*bests, strict=True)
    ]
    values = np.asarray(table, dtype=np.float64).reshape(len(positions), len(arm.runs))
    low, median, high = (_with_gaps(row) for row in _median_rows(values, seed))
    return Band(axis, tuple(positions), median, low, high)


def speed_up(cold: Arm, warm: Arm, axis: Axis) -> SpeedUp | None:
    """The speed-up of `warm` over `cold` on the seeds that both have.

    None where no cold trial succeeded on any of them, so that there is no value to reach.

    Raises:
        UsageError: there is no such seed, or the arms' objectives differ.
    """
    reached = {seed: _reached(left, right, axis) for seed, left, right in _pairs(cold, warm)}
    known = {seed: one for seed, one in reached.items() if one is not None}
    if not known:
        return None
    ratios = tuple(one.ratio for one in known.values())
    return SpeedUp(
        axis=axis,
        seeds=tuple(known),
        ratios=ratios,
        targets=tuple(one.target for one in known.values()),
        needed=tuple(one.warm for one in known.values()),
        estimate=median_interval(ratios),
        never_reached=sum(one.warm is None for one in known.values()),
        skipped=tuple(seed for seed in reached if seed not in known),
    )


def zero_trial(cold: Arm, warm: Arm, source: str) -> ZeroTrial:
    """The quality of what `source` proposed first in each warm session."""
    over_default: list[float] = []
    over_best: list[float] = []
    failed = 0
    for _, left, right in _pairs(cold, warm):
        suggested, default = right.first(source), right.default
        if suggested is None:
            continue
        value = suggested.measured
        failed += value is None
        if default is not None and default.value is not None:
            over_default.append(_times_better(cold.objective, default.value, value))
        if left.final is not None:
            over_best.append(_times_better(cold.objective, left.final, value))
    return ZeroTrial(source, _estimate(over_default), _estimate(over_best), failed)


def reference(arm: Arm, arms: Sequence[Arm]) -> Arm | None:
    """What an arm is held against: its own optimizer without a warm start, if that was run.

    Otherwise, and for the cold arms themselves, it is the first cold arm, or the first
    of all where none is cold; None for that one. Of several the first that searched the same
    way is taken, so that what a way spares does not read as what a warm start gives.
    """
    cold = [one for one in arms if one.cold]
    own = [one for one in cold if one.optimizer == arm.optimizer and not arm.cold]
    first = [*own, *cold, *arms][0]
    found = next((one for one in own or cold if one.way == arm.way), first)
    found = first if found is arm else found
    return None if found is arm else found


def _pairs(cold: Arm, warm: Arm) -> list[tuple[int, Curve, Curve]]:
    """(seed, cold curve, warm curve) for the seeds that both arms have."""
    if cold.objective != warm.objective:
        raise UsageError(f"{cold.label} and {warm.label} were tuned for different objectives")
    curves = {run.seed: run.curve for run in warm.runs}
    pairs = [(run.seed, run.curve, curves[run.seed]) for run in cold.runs if run.seed in curves]
    if not pairs:
        raise UsageError(f"{cold.label} and {warm.label} have no seed in common")
    return pairs


@dataclass(frozen=True, slots=True)
class _Reached:
    """The work until y* of one seed's two sessions; None: the warm one never reached it."""

    target: float
    cold: float
    warm: float | None

    @property
    def ratio(self) -> float:
        """T_cold(y*) / T_warm(y*); 0 when never reached."""
        return 0.0 if self.warm is None else self.cold / self.warm


def _reached(cold: Curve, warm: Curve, axis: Axis) -> _Reached | None:
    """None when no cold trial succeeded, so that there is no y*."""
    target = cold.final
    needed = None if target is None else cold.reached(target, axis)
    if target is None or needed is None:
        return None
    return _Reached(target, needed, warm.reached(target, axis))


def _times_better(objective: Objective, base: float, value: float | None) -> float:
    return 0.0 if value is None else objective.ratio(base, value)


def _estimate(values: list[float]) -> Estimate | None:
    return median_interval(values) if values else None


def _median_rows(values: Numbers, seed: int) -> tuple[Numbers, Numbers, Numbers]:
    """Low, median and high of each row of `values` (rows, seeds), each of shape (rows,).

    The quantiles are existing medians, not interpolated ones: infinities stay whole.
    """
    count = values.shape[1]
    drawn = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    rows = max(1, BLOCK // drawn.size)
    starts = range(0, max(1, len(values)), rows)
    blocks = [_quantile_rows(values[at : at + rows], drawn) for at in starts]
    low, high = np.concatenate(blocks, axis=1)
    return low, np.median(values, axis=1), high


def _quantile_rows(values: Numbers, drawn: npt.NDArray[np.int64]) -> Numbers:
    """Low and high of each row over the resamples `drawn`, of shape (2, rows)."""
    medians = np.median(values[:, drawn], axis=2)
    return np.quantile(medians, (0.025, 0.975), axis=1, method="inverted_cdf")


def _with_gaps(values: Numbers) -> tuple[float | None, ...]:
    return tuple(float(value) if np.isfinite(value) else None for value in values)
