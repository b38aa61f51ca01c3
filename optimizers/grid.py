"""Where in the unit cube configurations really are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llmtune.knobs.resolved import SPECIAL_SHARE
from optimizers.space import Axis, Floats


class Grid:
    """The places where an axis of choices, or the special values of a number, really are.

    Points between two of them are the same configuration, so a model that was told the
    places should be asked about nothing else.
    """

    def __init__(self, axes: Sequence[Axis]) -> None:
        counts = [len(axis.choices) or len(axis.knob.specials) for axis in axes]
        shares = [
            1 / len(axis.choices) if axis.choices else SPECIAL_SHARE * bool(axis.knob.specials)
            for axis in axes
        ]
        self._share = np.array([share or 1.0 for share in shares])
        self._end = np.array(shares) * counts
        self._count = np.array(counts)

    def snap(self, points: Floats) -> Floats:
        """The points, shape (..., d), with what lies in a slot moved to its middle."""
        slots = np.minimum(np.floor(points / self._share), self._count - 1)
        return np.where(points <= self._end - 1e-12, (slots + 0.5) * self._share, points)
