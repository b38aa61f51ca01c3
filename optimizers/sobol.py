"""Sobol search: a scrambled low-discrepancy sequence over the unit cube.

Source: A. B. Owen, "Scrambling Sobol' and Niederreiter-Xing points" (1998), as SciPy has it.
Import lazily: SciPy takes half a second to load.
"""

from __future__ import annotations

from scipy.stats.qmc import Sobol

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial
from optimizers.base import Optimizer
from optimizers.projection import Projection, unchanged
from optimizers.space import UnitCube
from workloads.objective import Objective


class SobolSearch(Optimizer):
    """Covers the space more evenly than random search, and learns nothing either."""

    name = "sobol"

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
        """The sequence's point at the place that tells and open asks add up to."""
        sequence = Sobol(len(self._cube.axes), seed=self.seed)
        if place := self._told + self._pending:  # SciPy cannot go forward by nothing
            sequence.fast_forward(place)
        self._pending += 1
        return self._project(self._cube.at(sequence.random()[0]))

    def learn(self, trial: Trial) -> None:  # noqa: ARG002  no trial changes the sequence
        """Only count it."""
        self._told += 1
        self._pending = 0
