"""HEBO, as the package `leanhebo` has it. Import lazily; it is in the extra `hebo`.

Source: A. I. Cowen-Rivers et al., "HEBO: Pushing the Limits of Sample-Efficient
Hyperparameter Optimisation" (arXiv 2012.03826).
"""

from __future__ import annotations

from leanhebo import LeanHEBO, LeanHEBOConfig, RuntimeConfig
from leanhebo.space import Categorical, Float, Space

from optimizers.model_based import ModelBased
from optimizers.sobol import sobol_point
from optimizers.space import Axis, Floats


class HEBO(ModelBased):
    """A Gaussian process on warped outputs, and three acquisitions at once.

    Until there are more trials than knobs the library proposes the points of one Sobol
    sequence, and it stays so here. In the few sessions that were tried its model did worse
    when it began sooner, and when all points before it lay around the baseline.
    """

    name = "hebo"

    def propose(self, points: Floats, losses: Floats, seed: int) -> Floats:
        """A point from the Pareto front of the acquisitions; of the sequence before that."""
        axes = len(self.cube.axes)
        if len(points) <= axes:
            return sobol_point(self.seed, len(points), axes)
        space = Space(*(_parameter(name, axis) for name, axis in self.cube.axes.items()))
        config = LeanHEBOConfig(runtime=RuntimeConfig(seed=seed))
        optimizer = LeanHEBO(space, config=config)
        optimizer.observe([dict(self.cube.mixed(point)) for point in points], losses)
        return self.cube.unmixed(optimizer.suggest(1).to_records()[0])


def _parameter(name: str, axis: Axis) -> Categorical | Float:
    if axis.choices:
        return Categorical(name, tuple(range(len(axis.choices))))
    return Float(name, 0.0, 1.0)
