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

    A place is used once: the next one lies behind all asks, which may still be open, and
    behind all tells, which may be of other configurations. So a replayed journal, which knows
    of the tells only, goes on where it stopped and does not draw the first ones again.
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
        self._next = 0

    @abstractmethod
    def draw(self, place: int, axes: int) -> Floats:
        """The point of the unit cube, shape (axes,), at `place`, counted from 0."""

    def ask(self) -> Configuration:
        """The next point's configuration."""
        place = max(self._told, self._next)
        self._next = place + 1
        return self._project(self._cube.at(self.draw(place, len(self._cube.axes))))

    def learn(self, trial: Trial) -> None:  # noqa: ARG002  no trial changes the draws
        """Only count it."""
        self._told += 1
