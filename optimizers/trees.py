"""A forest of regression trees that says how sure it is, also about capped trials.

Sources: for mean and variance F. Hutter et al., "Algorithm Runtime Prediction: Methods &
Evaluation" (arXiv 1211.0906), section 4.3; for capped trials F. Hutter et al., "Bayesian
Optimization With Censored Response Data" (arXiv 1310.1947). scikit-learn and SciPy are
loaded when they are used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from optimizers.space import Floats

LEAST_VARIANCE = 1e-6
"""Of a prediction of a logarithm: nothing is measured to better than a thousandth."""

IMPUTATIONS = 3
"""Rounds in which a forest guesses what capped trials would have come to."""


class Trees:
    """Extremely randomised trees on points of the unit cube.

    Every split is drawn, so their disagreement grows with the distance to what they know.
    """

    def __init__(self, points: Floats, losses: Floats, seed: int, count: int = 40) -> None:
        """Grow `count` trees on points, shape (n, d), and their losses, shape (n,)."""
        from sklearn.ensemble import ExtraTreesRegressor

        forest: Any = ExtraTreesRegressor(
            n_estimators=count, min_samples_split=4, max_features=1 / 2, random_state=seed
        )
        forest.fit(points.astype(np.float32), losses)
        # The arrays of a tree are read directly: checking the input again for each of
        # them would take most of the time of an ask.
        self._trees: list[Any] = [one.tree_ for one in forest.estimators_]
        self._means: list[Floats] = [tree.value[:, 0, 0] for tree in self._trees]
        self._within: list[Floats] = [tree.impurity for tree in self._trees]

    def each(self, points: Floats) -> Floats:
        """What each tree expects at points, shape (n, d): shape (trees, n)."""
        return np.stack(
            [mean[leaf] for mean, leaf in zip(self._means, self._leaves(points), strict=True)]
        )

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """Mean and variance of the losses at points, shape (n, d): two of shape (n,).

        The variance is that between the trees and, on average, within their leaves.
        """
        leaves = self._leaves(points)
        means = [mean[leaf] for mean, leaf in zip(self._means, leaves, strict=True)]
        within = [inside[leaf] for inside, leaf in zip(self._within, leaves, strict=True)]
        variance = np.var(means, axis=0) + np.mean(within, axis=0)
        return np.mean(means, axis=0), np.maximum(variance, LEAST_VARIANCE)

    def _leaves(self, points: Floats) -> list[NDArray[np.intp]]:
        table = np.ascontiguousarray(points, dtype=np.float32)
        return [tree.apply(table) for tree in self._trees]


def censored_trees(
    points: Floats, losses: Floats, bounds: Floats, capped: NDArray[np.bool_], seed: int
) -> Trees:
    """Trees that take a capped trial's loss for what they expect beyond its bound.

    Args:
        points: shape (n, d).
        losses: shape (n,), with a first guess where the trial was capped.
        bounds: shape (n,), what a capped trial's loss is more than; others do not count.
        capped: shape (n,).
    """
    trees, guessed = Trees(points, losses, seed), losses.copy()
    for _ in range(IMPUTATIONS if capped.any() else 0):
        mean, variance = trees.predict(points[capped])
        guessed[capped] = mean_beyond(bounds[capped], mean, np.sqrt(variance))
        trees = Trees(points, guessed, seed)
    return trees


def varying(table: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The columns, shape (d,), in which rows of shape (n, d) differ; all, if in none they do.

    Trees draw some of the columns for each split, and would draw the others in vain.
    """
    differing: NDArray[np.bool_] = np.ptp(table, axis=0) > 0
    return differing if differing.any() else ~differing


def mean_beyond(bound: Floats, mean: Floats, deviation: Floats) -> Floats:
    """The mean of a normal distribution cut off below `bound`; all of shape (n,)."""
    from scipy.stats import norm

    at = (bound - mean) / deviation
    hazard = np.exp(norm.logpdf(at) - norm.logsf(at))
    return np.asarray(np.maximum(mean + deviation * hazard, bound))
