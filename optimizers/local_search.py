"""Local search in the unit cube: from several points to the best neighbour, and on from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from optimizers.grid import Grid
from optimizers.space import Axis, Floats

Worth: TypeAlias = Callable[[Floats], Floats]
"""Points, shape (n, d), to how good they are, shape (n,); more is better."""

STEPS = 12
"""Moves of each search at most."""
FINE, COARSE = 0.03, 0.2
"""Standard deviations of the two steps that are tried along an axis of numbers."""


def climb(starts: Floats, axes: Sequence[Axis], worth: Worth, rng: np.random.Generator) -> Floats:
    """The best point, shape (d,), that searches from `starts`, shape (s, d), reach."""
    grid = Grid(axes)
    here = grid.snap(starts)
    value = worth(here)
    for _ in range(STEPS):
        around = grid.snap(_neighbours(here, rng))
        worths = worth(around.reshape(-1, len(axes))).reshape(len(here), -1)
        best, rows = worths.argmax(axis=1), np.arange(len(here))
        # Where all is equal it walks on: so asks differ in what seems not to matter, and
        # a choice that no trial had is tried some time.
        onward = worths[rows, best] >= value
        here = np.where(onward[:, None], around[rows, best], here)
        value = np.where(onward, worths[rows, best], value)
    return np.asarray(here[value.argmax()])


def _neighbours(points: Floats, rng: np.random.Generator) -> Floats:
    """For each point three for each axis, moved along it, in any order: shape (s, 3 d, d).

    A little, more, and to anywhere: the last is what leaves a choice's slot or a special
    value.
    """
    searches, axes = points.shape
    shape = (searches, axes)
    drawn = np.concatenate(
        [
            points + rng.normal(scale=FINE, size=shape),
            points + rng.normal(scale=COARSE, size=shape),
            rng.uniform(size=shape),
        ],
        axis=1,
    ).clip(0.0, 1.0)
    around = np.repeat(points[:, None, :], 3 * axes, axis=1)
    moved = np.arange(3 * axes)
    around[:, moved, moved % axes] = drawn
    return around[:, rng.permutation(3 * axes)]
