from __future__ import annotations

import numpy as np
import pytest

from optimizers.space import Floats
from optimizers.surrogate import Surrogate


def cliff(rows: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Times with a step (a spill) and a slope, as plan features bring them."""
    features = np.random.default_rng(seed).uniform(size=(rows, 6))
    features[:, 5] = 1.0
    return features, np.exp(np.where(features[:, 0] > 0.5, 1.5, 0.0) + features[:, 1])


def test_it_predicts_what_it_has_not_seen() -> None:
    surrogate = Surrogate()
    surrogate.fit(*cliff(600))
    features, seconds = cliff(200, seed=1)
    error = np.log(surrogate.predict(features)) - np.log(seconds)
    assert 1 - error.var() / np.log(seconds).var() > 0.9


def test_the_same_seed_predicts_the_same() -> None:
    features, _ = cliff(50, seed=1)
    predictions = []
    for _ in range(2):
        surrogate = Surrogate(seed=3)
        surrogate.fit(*cliff(200))
        predictions.append(surrogate.predict(features))
    assert np.array_equal(*predictions)


def test_one_row_and_constant_features_are_enough() -> None:
    surrogate = Surrogate()
    surrogate.fit([[1.0, 2.0]], [4.0])
    assert surrogate.predict([[1.0, 2.0], [5.0, 6.0]]) == pytest.approx([4.0, 4.0])


def test_weights_say_which_rows_count() -> None:
    surrogate = Surrogate()
    surrogate.fit([[0.0]] * 8, [1.0] * 4 + [9.0] * 4, weights=[1e-9] * 4 + [1.0] * 4)
    assert surrogate.predict([[0.0]]) == pytest.approx([9.0], rel=1e-3)


def test_nothing_is_predicted_before_a_fit() -> None:
    with pytest.raises(ValueError, match="fitted first"):
        Surrogate().predict([[1.0]])


@pytest.mark.parametrize("values", [[], [1.0, 2.0]])
def test_rows_without_their_value_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        Surrogate().fit([[1.0]], values)
