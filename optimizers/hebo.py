"""HEBO, as the package `leanhebo` has it. Import lazily; it is in the extra `hebo`.

Source: A. I. Cowen-Rivers et al., "HEBO: Pushing the Limits of Sample-Efficient
Hyperparameter Optimisation" (arXiv 2012.03826).
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from leanhebo import GPConfig, LeanHEBO, LeanHEBOConfig, RuntimeConfig
from leanhebo.errors import SearchSpaceExhaustedError
from leanhebo.space import Categorical, Float, Space

from optimizers.model_based import ModelBased
from optimizers.sobol import sobol_point
from optimizers.space import Axis, Floats, UnitCube

MOST_DRAWN = 20
"""Trials before the model, unless there are fewer knobs. The library draws as many as there are
knobs; of 60 trials over 40 knobs it models 19, and of the 30 that are usual on a server none.
Twenty came out better on both problems that were tried (docs/optimizers.md)."""

MOST_STEPS = 100
"""Of one fit, as many as the library's first has; the learning rate makes up for the others.
With 100 trials of 40 knobs an ask took 1.4 CPU seconds with these, 1.6 with 150, and 690 would
have taken 3.7 more. Longer ones do as well: the rank correlation on 300 other places was 0.95 with
either, and 0.79 with 100 steps of the library's own rate."""
LARGEST_RATE = 0.1
"""Ten times the library's own: the fit of a thousand of its steps, which it makes by the 111th
trial over 20 knobs or more. Later fits go no farther."""


class HEBO(ModelBased):
    """A Gaussian process on warped outputs, and three acquisitions at once.

    Before there is a model the library proposes the points of one Sobol sequence, and it stays
    so here after the first trials around the baseline.

    An object of the library that is kept fits its process a little further with each trial.
    Here one is made anew at each ask, so that a replayed journal goes on as if never stopped,
    and is fitted as far at once.
    """

    name = "hebo"

    def propose(self, points: Floats, losses: Floats, seed: int) -> Floats:
        """A point from the Pareto front of the acquisitions.

        One of the sequence before there is a model, and where all points there are were told.
        """
        axes = len(self.cube.axes)
        if len(points) > _drawn(axes):
            library = informed(self.cube, points, losses, seed)
            with suppress(SearchSpaceExhaustedError):
                return self.cube.unmixed(library.suggest(1).to_records()[0])
        return sobol_point(self.seed, len(points), axes)


def informed(cube: UnitCube, points: Floats, losses: Floats, seed: int) -> LeanHEBO:
    """The library's optimizer, told points, shape (n, d), and losses, shape (n,).

    It is told what the losses are logarithms of, seconds or a rate's inverse, over the
    median. Its power transform leaves a factor as it is but not a shift: told logarithms,
    it would depend on the unit of the values and on the objective's direction.
    """
    space = Space(*(_parameter(name, axis) for name, axis in cube.axes.items()))
    gp = _fit(len(points), len(cube.axes))
    library = LeanHEBO(space, config=LeanHEBOConfig(runtime=RuntimeConfig(seed=seed), gp=gp))
    told = np.exp(losses - np.median(losses))
    library.observe([dict(cube.mixed(point)) for point in points], told)
    return library


def _drawn(axes: int) -> int:
    """Trials before there is a model."""
    return min(axes, MOST_DRAWN)


def _fit(trials: int, axes: int) -> GPConfig:
    """As far as the library's own steps would have gone by now, in fewer and longer ones.

    It makes `initial_steps` when it first models, and `update_steps` more with each further
    trial. Those alone that it makes at first leave the length scales so short that no trial
    says anything of another.
    """
    own = GPConfig()
    steps = own.initial_steps + own.update_steps * max(0, trials - (_drawn(axes) + 1))
    taken = min(steps, MOST_STEPS)
    rate = min(own.learning_rate * steps / taken, LARGEST_RATE)
    return GPConfig(initial_steps=taken, learning_rate=rate)


def _parameter(name: str, axis: Axis) -> Categorical | Float:
    if axis.choices:
        return Categorical(name, tuple(range(len(axis.choices))))
    return Float(name, 0.0, 1.0)
