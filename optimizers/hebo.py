"""HEBO, as the package `leanhebo` has it. Import lazily; it is in the extra `hebo`.

Source: A. I. Cowen-Rivers et al., "HEBO: Pushing the Limits of Sample-Efficient
Hyperparameter Optimisation" (arXiv 2012.03826).
"""

from __future__ import annotations

import numpy as np
from leanhebo import LeanHEBO, LeanHEBOConfig, RuntimeConfig
from leanhebo.space import Categorical, Float, Space

from optimizers.model_based import ModelBased
from optimizers.sobol import sobol_point
from optimizers.space import Axis, Floats, UnitCube


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
        library = informed(self.cube, points, losses, seed)
        return self.cube.unmixed(library.suggest(1).to_records()[0])


def informed(cube: UnitCube, points: Floats, losses: Floats, seed: int) -> LeanHEBO:
    """The library's optimizer, told points, shape (n, d), and losses, shape (n,).

    It is told what the losses are logarithms of, seconds or a rate's inverse, over the
    median. Its power transform leaves a factor as it is but not a shift: told logarithms,
    it would depend on the unit of the values and on the objective's direction.
    """
    space = Space(*(_parameter(name, axis) for name, axis in cube.axes.items()))
    library = LeanHEBO(space, config=LeanHEBOConfig(runtime=RuntimeConfig(seed=seed)))
    told = np.exp(losses - np.median(losses))
    library.observe([dict(cube.mixed(point)) for point in points], told)
    return library


def _parameter(name: str, axis: Axis) -> Categorical | Float:
    if axis.choices:
        return Categorical(name, tuple(range(len(axis.choices))))
    return Float(name, 0.0, 1.0)
