"""A knob space seen through a few synthetic knobs: a random linear projection of its cube.

Source: K. Kanellis et al., "LlamaTune: Sample-Efficient DBMS Configuration Tuning" (VLDB
2022); the projection is HeSBO's count sketch: A. Nayebi et al., "A Framework for Bayesian
Optimization in Embedded Subspaces" (ICML 2019).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.knob import Effect, Kind, Knob, Scale
from llmtune.knobs.resolved import SPECIAL_SHARE, resolve
from llmtune.knobs.space import KnobSpace
from optimizers.space import Floats, UnitCube

DIMENSIONS = 16
BUCKETS = 250
"""Values of a synthetic knob. The paper takes 10,000 of scales that it leaves linear; ours
are logarithmic where values range widely, and a 250th of them changes nothing."""
BIAS = 0.2
"""Share of a knob's range that means a special value, for all of its special values together."""


class Embedding:
    """Every knob follows one synthetic knob, up or down; which one is drawn once.

    Attributes:
        low: the synthetic knobs as a knob space, so that any optimizer works on it.
    """

    def __init__(self, space: KnobSpace, seed: int) -> None:
        rng = np.random.default_rng([seed, DIMENSIONS])
        self._cube = UnitCube(space)
        knobs = len(space.knobs)
        used = min(DIMENSIONS, knobs)
        # A permutation first, so that no synthetic knob moves nothing.
        spread = np.concatenate([np.arange(used), rng.integers(used, size=knobs - used)])
        self._follows = rng.permutation(spread)
        self._down = rng.uniform(size=knobs) < 0.5
        self._special = np.array([BIAS * bool(knob.specials) for knob in space.knobs])
        self._natural = np.array([SPECIAL_SHARE * len(knob.specials) for knob in space.knobs])
        self.low = _synthetic(space, used)
        # The knobs' points for each bucket, as if every knob followed the same synthetic one.
        middles = (np.arange(BUCKETS) + 0.5) / BUCKETS
        self._ladder = self._rounded(self._knob_points(np.tile(middles[:, None], knobs)))

    def configuration(self, synthetic: Mapping[str, Value]) -> Configuration:
        """The knobs that a configuration of `low` stands for."""
        buckets = [int(synthetic[name]) for name in self.low.names]
        rows = np.array(buckets)[self._follows]
        return self._cube.at(self._ladder[rows, np.arange(len(rows))])

    def preimage(self, configuration: Mapping[str, Value]) -> Configuration:
        """The configuration of `low` that comes nearest to any configuration of the knobs.

        Nearest in the sum of squared distances in the unit cube, and among equals the
        middle one. What was proposed here, and not shrunk since to fit the memory, finds
        back to itself or to one that means the same.
        """
        squares = (self._ladder - self._cube.vector(configuration)) ** 2
        costs = (squares[:, self._follows == one].sum(axis=1) for one in range(len(self.low.knobs)))
        nearest = (np.flatnonzero(cost <= cost.min() + 1e-12) for cost in costs)
        middles = (int(ties[len(ties) // 2]) for ties in nearest)
        return Configuration(dict(zip(self.low.names, middles, strict=True)))

    def _knob_points(self, points: Floats) -> Floats:
        """Coordinates of the synthetic knobs that the knobs follow, to the knobs' own: (n, d).

        The first share of each knob's range is stretched over its special values.
        """
        turned = np.where(self._down, 1.0 - points, points)
        share = np.where(self._special > 0, self._special, 1.0)
        inside = turned / share * self._natural
        scale = self._natural + (turned - self._special) / (1 - self._special) * (1 - self._natural)
        return np.asarray(np.where(turned < self._special, inside, scale))

    def _rounded(self, points: Floats) -> Floats:
        """The points, shape (n, d), at which the values at them really lie."""
        columns = [
            [axis.coordinate(axis.value(float(point))) for point in points[:, at]]
            for at, axis in enumerate(self._cube.axes.values())
        ]
        return np.array(columns).T


def _synthetic(space: KnobSpace, count: int) -> KnobSpace:
    """`count` integer knobs without unit, each a bucket's number."""
    middle = BUCKETS // 2
    knobs = tuple(
        resolve(
            Knob(
                name=f"direction{number}", group="synthetic", kind=Kind.INTEGER,
                scale=Scale.LINEAR, defaults=((0, middle),), effects=((0, Effect.SESSION),),
                why="Moves all knobs that follow it.", low=0, high=BUCKETS - 1, levels=2,
            ),
            space.version, space.hardware,
        )
        for number in range(count)
    )  # fmt: skip
    defaults = Configuration({knob.name: knob.default for knob in knobs})
    return KnobSpace(space.version, space.hardware, knobs, space.catalogue_hash, defaults)
