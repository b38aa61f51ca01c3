"""Bootstrap intervals for a handful of paired runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Floats], Floats]
"""Takes resampled rounds, shape (resamples, rounds, arms), gives (resamples,)."""

RESAMPLES = 20_000
CONFIDENCE = 0.95


def bootstrap_interval(rounds: Floats, statistic: Statistic, seed: int) -> tuple[float, float]:
    """The 95% interval of `statistic` over resampled rounds.

    Whole rounds are drawn, so whatever disturbed a round disturbs all its arms
    alike and cancels in a ratio. A plain percentile interval of five rounds is far
    too narrow; the quantiles are widened as Hesterberg's expanded percentile
    interval does it ("What Teachers Should Know About the Bootstrap", 2014).

    Args:
        rounds: values of shape (rounds, arms), at least two rounds.
    """
    count = len(rounds)
    if count < 2:
        raise ValueError(f"an interval needs at least two rounds, not {count}")
    drawn = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    values = statistic(rounds[drawn])
    tail = _expanded_tail(count)
    low, high = np.quantile(values, (tail, 1.0 - tail))
    return float(low), float(high)


def _expanded_tail(count: int) -> float:
    """The normal tail that makes the bootstrap as wide as Student's t for `count` rounds."""
    from scipy.special import stdtrit

    quantile: Any = stdtrit(count - 1, (1.0 - CONFIDENCE) / 2)
    return NormalDist().cdf(math.sqrt(count / (count - 1)) * float(quantile))
