"""Optuna's multivariate TPE. Import lazily: Optuna takes a second to load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.space import KnobSpace, ResolvedKnob
from llmtune.trial import Trial, TrialStatus
from optimizers.base import Optimizer
from optimizers.model_based import STARTUP_TRIALS
from optimizers.projection import Projection, unchanged
from optimizers.space import UnitCube
from optimizers.start import start_point
from workloads.objective import Objective

Distribution: TypeAlias = CategoricalDistribution | FloatDistribution


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
        self._cube = UnitCube(space)
        self._project = project
        self._startup_trials = startup_trials
        self._distributions = {knob.name: _distribution(knob) for knob in space.knobs}
        self._study = _silent_study(objective)
        self._pending: dict[Configuration, optuna.Trial] = {}
        self._told = 0

    def ask(self) -> Configuration:
        """The candidate with the best expected improvement; drawn as `start_point` at first."""
        self._study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=self._startup_trials,
            multivariate=True,
            constant_liar=True,
            seed=self._ask_seed(),
        )
        if self._told < self._startup_trials:
            self._study.enqueue_trial(self._encode(self._started()))
        asked = self._study.ask(dict(self._distributions))
        configuration = self._project(self._decode(asked.params))
        replaced = self._pending.pop(configuration, None)
        if replaced is not None:
            self._study.tell(replaced, state=TrialState.FAIL)
        self._pending[configuration] = asked
        return configuration

    def learn(self, trial: Trial) -> None:
        """Add the trial as Optuna sees it; close the question it answers, if any."""
        self._told += 1
        asked = self._pending.pop(trial.configuration, None)
        if asked is not None:
            # Optuna passes over failed trials. The answer is always an added trial,
            # at the configuration that really ran, so a replay looks the same.
            self._study.tell(asked, state=TrialState.FAIL)
        self._study.add_trial(self._frozen(trial))

    def _started(self) -> Configuration:
        rng = np.random.default_rng(self._ask_seed())
        return self._cube.at(start_point(self._cube.vector(self.space.baseline()), rng))

    def _ask_seed(self) -> int:
        """Follows from the seed, the tells and the open asks alone, so a replay goes on."""
        sequence = np.random.SeedSequence([self.seed, self._told, len(self._pending)])
        return int(sequence.generate_state(1)[0])

    def _frozen(self, trial: Trial) -> FrozenTrial:
        params = self._encode(trial.configuration)
        if trial.status is TrialStatus.SUCCEEDED:
            return optuna.create_trial(
                params=params, distributions=dict(self._distributions), value=trial.value
            )
        bound = {} if trial.value is None else {0: trial.value}
        return optuna.create_trial(
            state=TrialState.PRUNED,
            params=params,
            distributions=dict(self._distributions),
            intermediate_values=bound,
            constraints=None if bound else {"measurable": 1.0},
        )

    def _encode(self, configuration: Mapping[str, Value]) -> dict[str, Any]:
        """Choices by their value, numbers by their place in the unit interval."""
        return {
            knob.name: configuration[knob.name]
            if knob.knob.choices
            else knob.position(configuration[knob.name])
            for knob in self.space.knobs
        }

    def _decode(self, params: Mapping[str, Any]) -> Configuration:
        return self.space.configuration(
            {
                knob.name: params[knob.name] if knob.knob.choices else knob.at(params[knob.name])
                for knob in self.space.knobs
            }
        )


def _distribution(knob: ResolvedKnob) -> Distribution:
    if knob.knob.choices:
        return CategoricalDistribution(knob.knob.choices)
    return FloatDistribution(0.0, 1.0)


def _silent_study(objective: Objective) -> optuna.Study:
    """A study in memory; what Optuna would log about it is said by our own events."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(direction=StudyDirection[objective.direction.name])
