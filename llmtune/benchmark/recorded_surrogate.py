"""Surrogates of a recording: from the knobs' positions to the logarithms of query seconds."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from optimizers.space import Floats

Predict: TypeAlias = Callable[[Floats], Floats]
"""Points, shape (n, knobs), to log seconds, shape (n, queries)."""

FOLDS = 5


@dataclass(frozen=True, slots=True)
class _Trees:
    """Random trees, asked one by one: scikit-learn's own way costs a hundred times as much."""

    trees: tuple[Any, ...]

    def __call__(self, points: Floats) -> Floats:
        table = points.astype(np.float32)
        answers = [tree.predict(table).reshape(len(table), -1) for tree in self.trees]
        return np.asarray(np.mean(answers, axis=0))


@dataclass(frozen=True, slots=True)
class _Process:
    """A Gaussian process."""

    model: Any

    def __call__(self, points: Floats) -> Floats:
        return np.asarray(self.model.predict(points)).reshape(len(points), -1)


def _fit_trees(points: Floats, logs: Floats) -> Predict:
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(100, random_state=0).fit(points, logs)
    return _Trees(tuple(one.tree_ for one in forest.estimators_))


def _fit_process(points: Floats, logs: Floats) -> Predict:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    kernel = ConstantKernel() * Matern(3.0, (0.1, 100.0), nu=2.5) + WhiteKernel(0.1)
    with warnings.catch_warnings():
        # A length scale at its bound means that the knobs say nothing; the score shows it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
        return _Process(model.fit(points, logs))


KINDS: dict[str, Callable[[Floats, Floats], Predict]] = {
    "trees": _fit_trees,
    "Gaussian process": _fit_process,
}


def held_out_r2(
    fit: Callable[[Floats, Floats], Predict], points: Floats, logs: Floats, groups: NDArray[np.intp]
) -> float:
    """The share of the variance that is foretold, cross-validated.

    Args:
        points: shape (runs, knobs); logs: shape (runs, queries).
        groups: shape (runs,); repeats of one configuration, which are held out together.
    """
    predicted = np.empty_like(logs)
    for fold in range(FOLDS):
        out = groups % FOLDS == fold
        predicted[out] = fit(points[~out], logs[~out])(points[out])
    unexplained = float(((logs - predicted) ** 2).sum())
    return 1 - unexplained / float(((logs - logs.mean(axis=0)) ** 2).sum())
