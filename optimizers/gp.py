"""Optuna's Gaussian process sampler. Import lazily: Optuna and torch take seconds to load."""

from __future__ import annotations

import optuna
from optuna.study import StudyDirection

from optimizers.model_based import ModelBased
from optimizers.optuna_cube import distributions, silent_study
from optimizers.space import Floats


class GP(ModelBased):
    """A Gaussian process with log expected improvement; choices are categories to it."""

    name = "gp"

    def propose(self, points: Floats, losses: Floats, seed: int) -> Floats:
        """The point of the best log expected improvement."""
        space = distributions(self.cube)
        sampler = optuna.samplers.GPSampler(seed=seed, n_startup_trials=0)
        study = silent_study(sampler, StudyDirection.MINIMIZE)
        for point, loss in zip(points, losses, strict=True):
            params = dict(self.cube.mixed(point))
            study.add_trial(optuna.create_trial(params=params, distributions=space, value=loss))
        return self.cube.unmixed(study.ask(space).params)
