"""Sobol search: a scrambled low-discrepancy sequence over the unit cube.

Source: A. B. Owen, "Scrambling Sobol' and Niederreiter-Xing points" (1998), as SciPy has it.
Import lazily: SciPy takes half a second to load.
"""

from __future__ import annotations

import numpy as np
from scipy.stats.qmc import Sobol

from optimizers.blind import Blind
from optimizers.space import Floats


class SobolSearch(Blind):
    """Covers the space more evenly than random search, and learns nothing either."""

    name = "sobol"

    def draw(self, place: int, axes: int) -> Floats:
        """The sequence's point there."""
        return sobol_point(self.seed, place, axes)


def sobol_point(seed: int, place: int, axes: int) -> Floats:
    """The point at `place`, counted from 0, of the sequence that `seed` scrambles: (axes,)."""
    sequence = Sobol(axes, seed=seed)
    if place:  # SciPy cannot go forward by nothing
        sequence.fast_forward(place)
    return np.asarray(sequence.random()[0])
