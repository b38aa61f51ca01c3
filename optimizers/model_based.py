"""What all optimizers with a model of the trials have in common."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial
from optimizers.base import Optimizer
from optimizers.evidence import Evidence
from optimizers.open_asks import OpenAsks
from optimizers.projection import Projection, unchanged
from optimizers.redraws import first_new, near
from optimizers.space import Floats, UnitCube
from optimizers.start import start_point
from workloads.objective import Objective

STARTUP_TRIALS = 10
"""Trials, warm starts among them, before a model takes over from random draws."""


class ModelBased(Optimizer):
    """Draws around the baseline first, then asks `propose`, a function of the trials so far.

    Nothing else is state: the same seed and the same tells give the same asks,
    whether they were told one by one or replayed from a journal. Open asks count as
    trials that went as badly as any, so that several asks in a row spread.
    """

    def __init__(
        self,
        space: KnobSpace,
        objective: Objective,
        seed: int,
        project: Projection = unchanged,
        startup_trials: int = STARTUP_TRIALS,
    ) -> None:
        super().__init__(space, objective, seed)
        self.cube = UnitCube(space)
        self._project = project
        self.startup_trials = startup_trials
        self._evidence = Evidence(objective)
        self._tried: set[Configuration] = set()
        self._open = OpenAsks(seed)

    @abstractmethod
    def propose(self, points: Floats, losses: Floats, seed: int) -> Floats:
        """The next point of the unit cube.

        Args:
            points: shape (n, d), n >= 1, axes in the knob space's order.
            losses: shape (n,), less is better.
            seed: for whatever is random in it.

        Returns:
            Shape (d,), each coordinate from 0 to 1.
        """

    def ask(self) -> Configuration:
        """The model's choice, moved a little if that was tried already."""
        rng = self._open.rng(len(self._evidence))
        if len(self._evidence) < self.startup_trials or not any(self._evidence.measured):
            point = start_point(self.cube.vector(self.space.baseline()), rng)
        else:
            point = self.propose(*self._known(), int(rng.integers(2**31)))
        configuration = first_new(map(self._at, near(point, rng)), {*self._tried, *self._open})
        self._open.add(configuration)
        return configuration

    def learn(self, trial: Trial) -> None:
        """Add it to the evidence; it answers the open ask of its configuration, if any."""
        self._evidence.add(self.cube.vector(trial.configuration), trial)
        self._tried.add(trial.configuration)
        self._open.answer(trial.configuration)

    def _known(self) -> tuple[Floats, Floats]:
        points, losses = self._evidence.points, self._evidence.losses
        if not self._open:
            return points, losses
        waiting = np.array([self.cube.vector(one) for one in self._open])
        feared = np.full(len(waiting), losses.max())
        return np.concatenate([points, waiting]), np.concatenate([losses, feared])

    def _at(self, point: Floats) -> Configuration:
        return self._project(self.cube.at(point))
