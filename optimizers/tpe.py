"""Optuna's multivariate TPE. Import lazily: Optuna takes a second to load."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial, TrialStatus
from optimizers.base import Optimizer
from optimizers.model_based import STARTUP_TRIALS
from optimizers.open_asks import OpenAsks
from optimizers.optuna_cube import distributions, silent_study
from optimizers.projection import Projection, unchanged
from optimizers.redraws import first_new, near
from optimizers.space import Floats, UnitCube
from optimizers.start import start_point
from workloads.objective import Objective


class TPE(Optimizer):
    """Tree-structured Parzen estimator over all knobs jointly.

    Trials without a value are told as pruned trials that violate a constraint,
    CAPPED ones as pruned at their bound: the sampler ranks both behind every
    measured value, by its own rules, and no made-up value enters the model.
    """

    name = "tpe"

    def __init__(
        self,
        space: KnobSpace,
        objective: Objective,
        seed: int,
        project: Projection = unchanged,
        startup_trials: int = STARTUP_TRIALS,
    ) -> None:
        super().__init__(space, objective, seed)
        self.startup_trials = startup_trials
        self._cube = UnitCube(space)
        self._project = project
        self._distributions = distributions(self._cube)
        direction = StudyDirection[objective.direction.name]
        self._study = silent_study(self._sampler(seed), direction)
        self._told = 0
        self._tried: set[Configuration] = set()
        self._open = OpenAsks(seed)
        self._running: list[optuna.Trial] = []  # of the open asks, in their order

    def ask(self) -> Configuration:
        """The candidate of most expected improvement, or one near it if that one was tried.

        Drawn as `start_point` at first.
        """
        seed = self._open.seed(self._told)
        self._study.sampler = self._sampler(seed)
        if self._told < self.startup_trials:
            self._study.enqueue_trial(self._params(self._started(seed)))
        asked = self._study.ask(self._distributions)
        points = near(self._cube.unmixed(asked.params), self._open.rng(self._told))
        configuration = first_new(map(self._at, points), {*self._tried, *self._open})
        self._open.add(configuration)
        self._running.append(asked)
        return configuration

    def learn(self, trial: Trial) -> None:
        """Add the trial as Optuna sees it; close the question it answers, if any."""
        self._told += 1
        self._tried.add(trial.configuration)
        place = self._open.answer(trial.configuration)
        if place is not None:
            # Optuna passes over failed trials. The answer is always an added trial,
            # at the configuration that really ran, so a replay looks the same.
            self._study.tell(self._running.pop(place), state=TrialState.FAIL)
        self._study.add_trial(self._frozen(trial))

    def _sampler(self, seed: int) -> optuna.samplers.TPESampler:
        return optuna.samplers.TPESampler(
            n_startup_trials=self.startup_trials, multivariate=True, constant_liar=True, seed=seed
        )

    def _started(self, seed: int) -> Configuration:
        baseline = self._cube.vector(self.space.baseline())
        return self._cube.at(start_point(baseline, np.random.default_rng(seed)))

    def _at(self, point: Floats) -> Configuration:
        return self._project(self._cube.at(point))

    def _frozen(self, trial: Trial) -> FrozenTrial:
        params = self._params(trial.configuration)
        if trial.status is TrialStatus.SUCCEEDED:
            return optuna.create_trial(
                params=params, distributions=self._distributions, value=trial.value
            )
        bound = {} if trial.value is None else {0: trial.value}
        return optuna.create_trial(
            state=TrialState.PRUNED,
            params=params,
            distributions=self._distributions,
            intermediate_values=bound,
            constraints=None if bound else {"measurable": 1.0},
        )

    def _params(self, configuration: Configuration) -> dict[str, Any]:
        """Choices by their number, numbers by their place in the unit interval."""
        return dict(self._cube.mixed(self._cube.vector(configuration)))
