"""Uniform random search over the unit cube: the control of every comparison."""

from __future__ import annotations

import numpy as np

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial
from optimizers.base import Optimizer
from optimizers.projection import Projection, unchanged
from optimizers.space import UnitCube
from workloads.objective import Objective


class RandomSearch(Optimizer):
    """Draws every configuration independently of all trials."""

    name = "random"

    def __init__(
        self,
        space: KnobSpace,
        objective: Objective,
        seed: int,
        project: Projection = unchanged,
    ) -> None:
        super().__init__(space, objective, seed)
        self._cube = UnitCube(space)
        self._project = project
        self._told = 0
        self._pending = 0

    def ask(self) -> Configuration:
        """A uniform draw; which one depends only on the seed and the tells and asks so far."""
        # A generator of its own for each ask, so that a replayed journal goes on
        # where it stopped and does not draw the first configurations again.
        rng = np.random.default_rng([self.seed, self._told, self._pending])
        self._pending += 1
        point = {name: float(rng.uniform()) for name in self._cube.axes}
        return self._project(self._cube.configuration(point))

    def learn(self, trial: Trial) -> None:  # noqa: ARG002  no trial changes the draws
        """Only count it."""
        self._told += 1
        self._pending = 0
