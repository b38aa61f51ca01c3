"""Candidates: variations of good configurations, for optimizers that can judge many."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from llmtune.knobs.configuration import Configuration, Value
from optimizers.projection import Projection
from optimizers.space import Axis, UnitCube

TO_BASELINE, STEPPED, MOVED = 0.25, 0.35, 0.2
"""What becomes of a knob that a move touches, in these shares: put back, so that answers
stay small; to the next level; some way along its scale. The rest is set anew."""

STEP, WAY = 0.1, 0.25
"""Of an axis: about a level, and the spread of a larger move."""

RATES = (0.1, 0.3, 0.6, 1.0)
"""How many of the knobs a draw around the baseline changes: most knobs at random values do
harm, but where everything changes everything shows."""

MOVES, CROSSED = 0.45, 0.2
"""The shares of a pool that are moves and crossovers; the rest are fresh draws."""

TOUCHED = (1, 2, 4, 8)
"""How many knobs a move touches, each as often. Fewer change hardly a plan."""

PATIENCE = 4
"""Draws for each candidate wanted: in a small space there may be no more new ones."""


class Candidates:
    """Draws configurations that may be applied; all chance comes from the caller's generator."""

    def __init__(self, cube: UnitCube, project: Projection) -> None:
        self._cube = cube
        self._project = project
        self._baseline = cube.space.baseline()
        self._names = list(cube.axes)

    def pool(
        self,
        parents: Sequence[Configuration],
        count: int,
        rng: np.random.Generator,
        without: Collection[Configuration] = (),
    ) -> list[Configuration]:
        """At most `count` different ones, none of them in `without`.

        Args:
            parents: good ones, best first; the best has the most children. May be empty.
        """
        pool: dict[Configuration, None] = {}
        for _ in range(PATIENCE * count):
            if len(pool) >= count:
                break
            drawn = self._project(Configuration(self._any(parents, rng)))
            if drawn not in without:
                pool[drawn] = None
        return list(pool)

    def fresh(
        self, rng: np.random.Generator, without: Collection[Configuration] = ()
    ) -> Configuration:
        """A draw around the baseline, one that is not in `without` if there is any."""
        found = self.pool((), 1, rng, without)
        return found[0] if found else self._project(self._baseline)

    def _any(self, parents: Sequence[Configuration], rng: np.random.Generator) -> dict[str, Value]:
        kind = rng.random()
        if not parents or kind > MOVES + CROSSED:
            return self._drawn(rng)
        first = self._parent(parents, rng)
        if kind < MOVES:
            return self._moved(first, rng)
        second = self._parent(parents, rng)
        return {name: (first if rng.random() < 0.5 else second)[name] for name in self._names}

    def _parent(self, parents: Sequence[Configuration], rng: np.random.Generator) -> Configuration:
        """The better of two drawn at random."""
        return parents[int(min(rng.integers(len(parents), size=2)))]

    def _moved(self, start: Configuration, rng: np.random.Generator) -> dict[str, Value]:
        count = min(len(self._names), int(rng.choice(TOUCHED)))
        values = dict(start)
        for name in rng.choice(self._names, size=count, replace=False):
            values[name] = self._other(self._cube.axes[name], values[name], rng)
        return values

    def _other(self, axis: Axis, value: Value, rng: np.random.Generator) -> Value:
        """Another value for one knob, mostly a near one."""
        fate = rng.random()
        if fate < TO_BASELINE and value != self._baseline[axis.knob.name]:
            return self._baseline[axis.knob.name]
        if axis.choices:
            others = [one for one in axis.choices if one != value]
            return others[int(rng.integers(len(others)))]
        here = axis.coordinate(value)
        if fate < TO_BASELINE + STEPPED:
            here += STEP if rng.random() < 0.5 else -STEP
        elif fate < TO_BASELINE + STEPPED + MOVED:
            here += float(rng.normal(scale=WAY))
        else:
            here = float(rng.random())
        return axis.value(min(1.0, max(0.0, here)))

    def _drawn(self, rng: np.random.Generator) -> dict[str, Value]:
        return {**self._baseline, **dict(self._draws(float(rng.choice(RATES)), rng))}

    def _draws(self, rate: float, rng: np.random.Generator) -> Iterator[tuple[str, Value]]:
        """New values for some knobs, one at least."""
        certain = int(rng.integers(len(self._names)))
        for place, name in enumerate(self._names):
            if place == certain or rng.random() < rate:
                yield name, self._cube.axes[name].value(float(rng.random()))
