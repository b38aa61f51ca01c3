"""Uniform random search over the unit cube: the control of every comparison."""

from __future__ import annotations

import numpy as np

from optimizers.blind import Blind
from optimizers.space import Floats


class RandomSearch(Blind):
    """Draws every configuration independently of all trials."""

    name = "random"

    def draw(self, place: int, axes: int) -> Floats:
        """A uniform draw from a generator of its own."""
        return np.random.default_rng([self.seed, place]).uniform(size=axes)
