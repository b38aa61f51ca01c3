"""The unit cube as Optuna sees it. Import lazily: Optuna takes a second to load."""

from __future__ import annotations

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection

from optimizers.space import Axis, UnitCube


def distributions(cube: UnitCube) -> dict[str, BaseDistribution]:
    """Of each knob's coordinate, or of the number of its choice: see `UnitCube.mixed`."""
    return {name: _distribution(axis) for name, axis in cube.axes.items()}


def silent_study(sampler: BaseSampler, direction: StudyDirection) -> optuna.Study:
    """A study in memory; what Optuna would log about it is said by our own events."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(sampler=sampler, direction=direction)


def _distribution(axis: Axis) -> BaseDistribution:
    if axis.choices:
        return CategoricalDistribution(range(len(axis.choices)))
    return FloatDistribution(0.0, 1.0)
