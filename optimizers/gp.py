"""Optuna's Gaussian process sampler. Import lazily: Optuna and torch take seconds to load."""

from __future__ import annotations

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from optimizers.model_based import ModelBased
from optimizers.space import Axis, Floats


class GP(ModelBased):
    """A Gaussian process with log expected improvement; choices are categories to it."""

    name = "gp"

    def propose(self, points: Floats, losses: Floats, seed: int) -> Floats:
        """The point of the best log expected improvement."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        space: dict[str, BaseDistribution] = {
            name: _distribution(axis) for name, axis in self.cube.axes.items()
        }
        study = optuna.create_study(
            sampler=optuna.samplers.GPSampler(seed=seed, n_startup_trials=0)
        )
        for point, loss in zip(points, losses, strict=True):
            params = dict(self.cube.mixed(point))
            study.add_trial(optuna.create_trial(params=params, distributions=space, value=loss))
        return self.cube.unmixed(study.ask(space).params)


def _distribution(axis: Axis) -> BaseDistribution:
    if axis.choices:
        return CategoricalDistribution(range(len(axis.choices)))
    return FloatDistribution(0.0, 1.0)
