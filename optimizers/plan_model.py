"""A model of a workload's total from its queries' plans, fitted on one session's trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np

from optimizers.space import Floats
from optimizers.surrogate import Surrogate

LEAF = 2
"""Rows that a leaf holds at least: sessions are short."""

MOST_ROWS = 6000
"""Rows that a fit takes; of longer sessions it takes the most recent trials."""

LEAST_SPREAD = 1e-3
"""In log units; no total is known better than that."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected of some configurations: the log of total over the baseline's.

    Attributes:
        mean, spread: shape (n,).
    """

    mean: Floats
    spread: Floats

    def joined(self, other: Outlook) -> Outlook:
        """The two, one behind the other."""
        return Outlook(
            np.concatenate([self.mean, other.mean]), np.concatenate([self.spread, other.spread])
        )

    def improvement(self, best: float) -> Floats:
        """Expected improvement on `best`, shape (n,), log units.

        Source: Jones, Schonlau, Welch: Efficient Global Optimization (1998), eq. 15.
        """
        from scipy.special import ndtr

        gain = (best - self.mean) / self.spread
        density = np.exp(-0.5 * gain**2) / sqrt(2 * pi)
        return np.asarray(self.spread * (gain * ndtr(gain) + density), dtype=np.float64)


def outlook(logs: Floats, shares: Floats) -> Outlook:
    """What an ensemble expects of totals.

    Args:
        logs: shape (trees, n, queries): each tree's log of time over the baseline's.
        shares: shape (queries,): of the baseline's total.
    """
    totals = np.log(np.exp(logs) @ shares)
    return Outlook(totals.mean(axis=0), np.maximum(totals.std(axis=0), LEAST_SPREAD))


class PlanModel:
    """One surrogate for all queries: plan features in, a distribution of the total out.

    Every tree predicts every query, and each tree's sum is one opinion of the total.
    """

    def __init__(self, shares: Floats, seed: int) -> None:
        self._shares = shares
        self._surrogate = Surrogate(seed, leaf=LEAF)

    def fit(self, tables: Sequence[Floats], rows: Sequence[tuple[list[int], Floats]]) -> None:
        """Learn from trials.

        Args:
            tables: for each trial its features, shape (queries, d).
            rows: for each trial the queries that it tells about, and their log ratios.
        """
        trials = max(1, MOST_ROWS // len(self._shares))
        features = [table[places] for table, (places, _) in zip(tables, rows, strict=True)]
        values = [np.exp(logs) for _, logs in rows]
        self._surrogate.fit(np.concatenate(features[-trials:]), np.concatenate(values[-trials:]))

    def predict(self, tables: Sequence[Floats]) -> Outlook:
        """What to expect of configurations with these features, each shape (queries, d)."""
        logs = self._surrogate.opinions(np.concatenate(tables))
        return outlook(logs.reshape(len(logs), len(tables), -1), self._shares)
