"""SMAC's random forest with expected improvement. Import lazily; it is in the extra `smac`.

Source: M. Lindauer et al., "SMAC3: A Versatile Bayesian Optimization Package for
Hyperparameter Optimization" (arXiv 2109.09831).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ConfigSpace import Categorical, ConfigurationSpace, Float
from scipy.special import ndtr
from smac.model.random_forest import RandomForest

from optimizers.grid import Grid
from optimizers.local_search import climb
from optimizers.model_based import ModelBased
from optimizers.space import Axis, Floats
from optimizers.start import start_point

CHALLENGERS, SEARCHES = 5000, 10
"""Uniform candidates of one ask, and local searches from the best of them; as many more
start from the trials that the forest expects the least of."""

RANDOM_SHARE = 0.2
"""Of the asks, as in the facade for hyper-parameters; but drawn around the best trial, as
uniform configurations of forty knobs are mostly bad."""

PERCENTILE = 5.0
"""Of the losses: as far as it is above the least, the logarithm's zero is below it."""

LEAST_VARIANCE = 1e-10
"""Where all trees agree."""


class SMAC(ModelBased):
    """The model of the facade for hyper-parameters, with its settings and its acquisition.

    The local search is ours, over arrays. SMAC's own makes an object of each of some sixty
    thousand neighbours, three seconds an ask with forty knobs; cut down to half a second
    it does not come far from where it begins, and finds less than SMAC by itself.
    """

    name = "smac"

    def propose(self, points: Floats, losses: Floats, seed: int) -> Floats:
        """Where searches for the expected improvement end best, or now and then a random one."""
        rng = np.random.default_rng(seed)
        if rng.uniform() < RANDOM_SHARE:
            return start_point(points[losses.argmin()], rng)
        axes = tuple(self.cube.axes.values())
        surface = Surface(axes, points, losses, seed)
        drawn = Grid(axes).snap(rng.uniform(size=(CHALLENGERS, len(axes))))
        promising = drawn[np.argsort(-surface.improvement(drawn), kind="stable")[:SEARCHES]]
        known = points[np.argsort(surface.means(points), kind="stable")[:SEARCHES]]
        return climb(np.concatenate([promising, known]), axes, surface.improvement, rng)


class Surface:
    """What SMAC expects at points of the unit cube.

    Attributes:
        forest: its model, of scaled losses.
        best: the least that the model expects of a trial.
    """

    def __init__(self, axes: Sequence[Axis], points: Floats, losses: Floats, seed: int) -> None:
        self._slots = np.array([len(axis.choices) for axis in axes])
        self.forest = _forest(axes, len(points), seed)
        self.forest.train(self.encoded(points), log_scaled(losses)[:, None])
        self.best = float(self.means(points).min())

    def means(self, points: Floats) -> Floats:
        """What the forest expects at points, shape (n, d): shape (n,)."""
        return self._predicted(points)[0]

    def improvement(self, points: Floats) -> Floats:
        """The expected improvement over the best that the forest expects of a trial: (n,).

        The forest's losses are logarithms and the improvement is of what they are of, as F.
        Hutter et al. derive it in "An Experimental Investigation of Model-Based Parameter
        Optimisation: SPO and Beyond" (GECCO 2009). SMAC's own takes its objects only, and
        fails where rounding makes it less than nothing.
        """
        mean, variance = self._predicted(points)
        deviation = np.sqrt(variance)
        at = (self.best - mean) / deviation
        expected = np.exp(mean + variance / 2) * ndtr(at - deviation)
        return np.asarray(np.exp(self.best) * ndtr(at) - expected)

    def _predicted(self, points: Floats) -> tuple[Floats, Floats]:
        mean, variance = self.forest.predict_marginalized(self.encoded(points))
        return mean[:, 0], np.maximum(variance[:, 0], LEAST_VARIANCE)

    def encoded(self, points: Floats) -> Floats:
        """As ConfigSpace has it: the number of a choice in place of its slot's middle."""
        numbers = np.minimum(np.floor(points * self._slots), self._slots - 1)
        return np.where(self._slots > 0, numbers, points)


def _forest(axes: Sequence[Axis], trials: int, seed: int) -> RandomForest:
    """The facade's own forest, and faster: no tree has more leaves than there are trials, for
    as many as it may have memory is cleared; and threads take longer to start than to grow it.
    """
    return RandomForest(
        configuration_space(axes), n_trees=10, ratio_features=1.0, min_samples_split=2,
        min_samples_leaf=1, max_leaf_nodes=trials + 1, log_y=True, n_jobs=1, seed=seed,
    )  # fmt: skip


def log_scaled(losses: Floats) -> Floats:
    """Shape (n,): their logarithms between two bounds, as SMAC's log-scaled encoder does it."""
    least, most = float(losses.min()), float(losses.max())
    if least == most:
        return np.zeros_like(losses)
    zero = 2 * least - float(np.percentile(losses, PERCENTILE)) - 1e-10
    return np.asarray(np.log((losses - zero) / (most - zero)))


def configuration_space(axes: Sequence[Axis]) -> ConfigurationSpace:
    """The axes as ConfigSpace has them, which sorts by name: they are numbered."""
    space = ConfigurationSpace()
    space.add([_hyperparameter(f"{place:03}", axis) for place, axis in enumerate(axes)])
    return space


def _hyperparameter(name: str, axis: Axis) -> Categorical | Float:
    if axis.choices:
        return Categorical(name, list(range(len(axis.choices))))
    return Float(name, (0.0, 1.0))
