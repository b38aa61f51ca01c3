"""What the optimizers that learn nothing have in common: the controls of a comparison."""

from __future__ import annotations

from abc import abstractmethod

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial
from optimizers.base import Optimizer
from optimizers.projection import Projection, unchanged
from optimizers.space import Floats, UnitCube
from workloads.objective import Objective


class Blind(Optimizer):
    """Draws points by their place in the session alone, whatever came of those before.

    So a replayed journal goes on where it stopped, and does not draw the first
    configurations again.
    """

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

    @abstractmethod
    def draw(self, told: int, pending: int, axes: int) -> Floats:
        """The point of the unit cube, shape (axes,), behind these tells and open asks."""

    def ask(self) -> Configuration:
        """The next point's configuration."""
        point = self.draw(self._told, self._pending, len(self._cube.axes))
        self._pending += 1
        return self._project(self._cube.at(point))

    def learn(self, trial: Trial) -> None:  # noqa: ARG002  no trial changes the draws
        """Only count it."""
        self._told += 1
        self._pending = 0
