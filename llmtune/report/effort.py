"""What an arm's sessions cost altogether: area under the curve, failures, overhead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmtune.report.arms import Arm
from llmtune.report.comparison import Estimate, median_interval
from llmtune.report.curve import Axis, Curve
from llmtune.trial import TrialStatus


def area(arm: Arm, trials: int) -> Estimate | None:
    """Area under the best-so-far curve over the first `trials` trials, normalised.

    Of each session it is the mean over those trials of the best value so far over the
    session's first default value (the inverse where more is better): 1 says that nothing
    better than the default was found, and less is better. Trials before the first success
    count as the default. None when no session measured its default.
    """
    areas = [one for run in arm.runs if (one := _area(run.curve, trials)) is not None]
    return median_interval(areas) if areas else None


@dataclass(frozen=True, slots=True)
class Effort:
    """What an arm's sessions did, all together.

    Attributes:
        failed: trials without a value.
        overhead: median share of a session's wall seconds in which no query ran;
            None where no session has a trial.
    """

    trials: int
    failed: int
    capped: int
    overhead: float | None


def effort(arm: Arm) -> Effort:
    """Count the arm's trials and its overhead."""
    points = [point for run in arm.runs for point in run.curve.points]
    shares = [
        1 - sum(point.measured_s for point in run.curve.points) / run.curve.points[-1].seconds
        for run in arm.runs
        if run.curve.points and run.curve.points[-1].seconds
    ]
    return Effort(
        trials=len(points),
        failed=sum(point.value is None for point in points),
        capped=sum(point.status is TrialStatus.CAPPED for point in points),
        overhead=float(np.median(shares)) if shares else None,
    )


def _area(curve: Curve, trials: int) -> float | None:
    default = curve.default
    if default is None or default.value is None or not trials:
        return None
    best = curve.best_at(range(1, trials + 1), Axis.TRIALS)
    return float(
        np.mean(
            [1.0 if one is None else 1 / curve.objective.ratio(default.value, one) for one in best]
        )
    )
