"""The synthetic evaluator: where its optimum lies, what it is worth, and its shapes."""

import numpy as np
import pytest

from llmtune.benchmark.synthetic import NEAREST, Behaviour, Shape, SyntheticEvaluator
from optimizers.space import UnitCube
from tests.optimizers.conformance import knob_space

SPACE = knob_space()
CUBE = UnitCube(SPACE)
PLACES = np.linspace(0.0, 1.0, 401)


def surface(seed, **behaviour):
    return SyntheticEvaluator(SPACE, seed, Behaviour(active=8, **behaviour))


def along(evaluator, name):
    """The value at each of `PLACES` of one knob, the others at their default."""
    default, axis = SPACE.default(), CUBE.axes[name]
    return np.array([evaluator.value({**default, name: axis.value(at)}) for at in PLACES])


def optimum(evaluator):
    """Knobs do not interact, so each one's best is the best of all."""
    best = {name: PLACES[along(evaluator, name).argmin()] for name in evaluator.active}
    return SPACE.configuration({name: CUBE.axes[name].value(at) for name, at in best.items()})


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("seed", range(3))
def test_the_gain_is_that_of_the_optimum_over_the_default(seed, shape):
    evaluator = surface(seed, optimum_gain=3.0, shape=shape)
    assert evaluator.value(SPACE.default()) == pytest.approx(10.0)
    assert evaluator.value(optimum(evaluator)) == pytest.approx(10.0 / 3.0, rel=0.02)


def test_the_optimum_lies_anywhere_and_not_beside_the_default():
    default, places = SPACE.default(), []
    for seed in range(12):
        evaluator = surface(seed)
        best = optimum(evaluator)
        numbers = [name for name in evaluator.active if not CUBE.axes[name].choices]
        places.extend(SPACE[name].position(best[name]) for name in numbers)
        distances = [
            SPACE[name].position(best[name]) - SPACE[name].position(default[name])
            for name in evaluator.active
        ]
        assert np.sqrt(np.mean(np.square(distances))) > NEAREST - 0.01
    counts, _ = np.histogram(places, bins=4, range=(0.0, 1.0))
    assert len(places) > 40
    assert counts.min() > len(places) / 8


def test_the_default_is_best_when_that_is_asked_for():
    evaluator = surface(0, default_is_best=True)
    assert all(along(evaluator, name).min() >= 10.0 for name in evaluator.active)


@pytest.mark.parametrize(("shape", "fewest", "most"), [(Shape.BOWL, 1, 1), (Shape.LEVY, 4, 11)])
def test_a_bowl_has_one_valley_and_levys_function_several(shape, fewest, most):
    harm = [shape.harm(distance) for distance in np.linspace(-1.0, 1.0, 1001)]
    valleys = sum(a > b < c for a, b, c in zip(harm, harm[1:], harm[2:], strict=False))
    assert fewest <= valleys <= most
    assert shape.harm(0.0) == 0.0
    assert max(harm) <= 1.0
