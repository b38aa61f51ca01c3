"""The surrogate: feature vectors in, predicted seconds out.

It knows nothing of plans, queries or servers; whoever owns the features (knob
positions, plan features under the candidate) hands in plain vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optimizers.space import Floats
from optimizers.trees import varying

FLOOR = 1e-6
"""Seconds (or ratio) below which a logarithm says nothing any more."""

TREES, LEAST_ROWS = 40, 3
"""Of an ensemble, and of a leaf."""


class Surrogate:
    """Predicts a positive number on its log scale: an ensemble of random trees.

    Trees, because what costs time comes in steps (a hash that just spills).
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._model: Any = None
        self._used: NDArray[np.bool_] = np.zeros(0, dtype=bool)

    def fit(self, features: ArrayLike, values: ArrayLike, weights: ArrayLike | None = None) -> None:
        """Learn from measurements; what was learnt before is forgotten.

        Args:
            features: shape (n, d).
            values: shape (n,), seconds or ratios, positive.
            weights: shape (n,), how much each row counts; None means alike.
        """
        table = np.asarray(features, dtype=np.float32)
        logs = np.log(np.maximum(np.asarray(values, dtype=np.float64), FLOOR))
        if table.ndim != 2 or len(table) != len(logs) or not len(table):
            raise ValueError(
                f"features {table.shape} and values {logs.shape} do not belong together"
            )
        self._used = varying(table)
        self._model = self._new_model(int(self._used.sum()))
        self._model.fit(table[:, self._used], logs, sample_weight=weights)

    def predict(self, features: ArrayLike) -> Floats:
        """Shape (n, d) to shape (n,): the expected value in the unit that was fitted.

        Raises:
            ValueError: nothing was fitted.
        """
        if self._model is None:
            raise ValueError("the surrogate must be fitted first")
        table = np.asarray(features, dtype=np.float32)[:, self._used]
        logs = np.mean([tree.predict(table) for tree in self._model.estimators_], axis=0)
        return np.asarray(np.exp(logs), dtype=np.float64)

    def _new_model(self, features: int) -> Any:
        from sklearn.ensemble import ExtraTreesRegressor

        return ExtraTreesRegressor(
            n_estimators=TREES,
            min_samples_leaf=LEAST_ROWS,
            max_features=min(features, max(8, features // 5)),
            random_state=self._seed,
            n_jobs=-1,
        )
