"""CMA-ES: a normal distribution that moves and stretches towards what was better.

Source: N. Hansen, "The CMA Evolution Strategy: A Tutorial" (arXiv 1604.00772), as the
package `cmaes` has it.
"""

from __future__ import annotations

from math import log

import numpy as np
from cmaes import CMA

from llmtune.knobs.space import KnobSpace
from optimizers.model_based import ModelBased
from optimizers.projection import Projection, unchanged
from optimizers.space import Floats
from workloads.objective import Objective

STEP = 0.2
"""The first standard deviation on every axis: steps to about a level or two away."""


class CMAES(ModelBased):
    """Covariance matrix adaptation on the unit cube.

    Every so many consecutive trials are one generation, whoever proposed them: the
    strategy takes solutions that are not its own as well. The first generation, warm
    starts among it, only says where to start.
    """

    name = "cmaes"

    def __init__(
        self,
        space: KnobSpace,
        objective: Objective,
        seed: int,
        project: Projection = unchanged,
    ) -> None:
        self._generation = max(4 + int(3 * log(max(len(space.names), 1))), 5)
        super().__init__(space, objective, seed, project, startup_trials=self._generation)

    def propose(self, points: Floats, losses: Floats, seed: int) -> Floats:
        """A draw from the distribution that all complete generations lead to."""
        strategy = self._strategy(points[: self._generation], losses[: self._generation])
        rest = range(self._generation, len(points) - self._generation + 1, self._generation)
        for begin in rest:
            members = slice(begin, begin + self._generation)
            strategy.tell(list(zip(points[members], losses[members], strict=True)))
        strategy.reseed_rng(seed)
        return np.asarray(np.clip(strategy.ask(), 0.0, 1.0))

    def _strategy(self, points: Floats, losses: Floats) -> CMA:
        start = points[int(np.argmin(losses))]
        bounds = np.tile([0.0, 1.0], (len(start), 1))
        return CMA(
            mean=start, sigma=STEP, bounds=bounds, population_size=self._generation, seed=self.seed
        )
