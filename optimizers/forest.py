"""A forest of trees with expected improvement, searched locally.

Source: F. Hutter et al., "Sequential Model-Based Optimization for General Algorithm
Configuration" (LION 2011). scikit-learn and SciPy are loaded by the first ask.
"""

from __future__ import annotations

import numpy as np

from optimizers.local_search import Worth, climb
from optimizers.model_based import ModelBased
from optimizers.space import Floats
from optimizers.start import start_point
from optimizers.trees import Trees, censored_trees

PARENTS = 10
"""The best trials, from which the candidates of an ask descend."""
CANDIDATES, CROSSED = 500, 0.5
"""How many there are, and the share of them that mix two parents; the others change some
axes of one. Among uniform draws none is any good where most of the space is bad."""
STARTS = 5
"""Local searches from candidates, and as many from the best trials."""
RANDOM_SHARE = 0.1
"""Of the asks: trees are as sure about values that no trial had as about their neighbours."""


class Forest(ModelBased):
    """The point of the best expected improvement under a forest.

    Choices and special values are places on their axes, which trees part by thresholds.
    A CAPPED trial counts as what the forest expects beyond its bound.
    """

    name = "forest"

    def propose(self, points: Floats, losses: Floats, seed: int) -> Floats:
        """Where local searches for the expected improvement end best."""
        rng = np.random.default_rng(seed)
        parents = points[np.argsort(losses, kind="stable")[:PARENTS]]
        if rng.uniform() < RANDOM_SHARE:
            return start_point(parents[0], rng)
        worth = self._worth(points, losses, seed)
        drawn = np.array([descendant(parents, rng) for _ in range(CANDIDATES)])
        promising = drawn[np.argsort(-worth(drawn), kind="stable")[:STARTS]]
        axes = tuple(self.cube.axes.values())
        return climb(np.concatenate([promising, parents[:STARTS]]), axes, worth, rng)

    def _worth(self, points: Floats, losses: Floats, seed: int) -> Worth:
        """The expected improvement times the chance that a configuration runs at all.

        The improvement is over the best that the forest believes of a trial: what was
        measured best was also lucky, and where noise is large nothing would promise more.
        """
        told, bounds = len(self._evidence), losses.copy()
        failed, capped = np.zeros((2, len(losses)), dtype=bool)  # no open ask is either
        failed[:told], capped[:told] = self._evidence.failed, self._evidence.capped
        bounds[:told] = self._evidence.bounds
        ran = ~failed
        trees = censored_trees(points[ran], losses[ran], bounds[ran], capped[ran], seed)
        best = float(trees.predict(points[ran])[0].min())
        risk = Trees(points, failed.astype(float), seed) if failed.any() else None

        def worth(table: Floats) -> Floats:
            gain = expected_improvement(trees, table, best)
            return gain if risk is None else gain * (1.0 - risk.predict(table)[0])

        return worth


def descendant(parents: Floats, rng: np.random.Generator) -> Floats:
    """Shape (d,): a mix of two parents, shape (p, d), or one with some axes drawn anew."""
    first, second = parents[rng.integers(len(parents), size=2)]
    if rng.uniform() < CROSSED:
        return np.asarray(np.where(rng.uniform(size=len(first)) < 0.5, first, second))
    return start_point(first, rng)


def expected_improvement(trees: Trees, points: Floats, best: float) -> Floats:
    """By how much the losses at points, shape (n, d), fall below `best` on average: (n,)."""
    from scipy.special import ndtr

    mean, variance = trees.predict(points)
    deviation = np.sqrt(variance)
    at = (best - mean) / deviation
    density = np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray((best - mean) * ndtr(at) + deviation * density)
