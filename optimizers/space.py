"""A knob space as the unit cube: one coordinate from 0 to 1 for each knob."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.space import KnobSpace, ResolvedKnob

Floats: TypeAlias = NDArray[np.float64]
Coordinate: TypeAlias = float | int
"""From 0 to 1, or the number of a choice."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One knob's values along 0 to 1: choices in equal slots, numbers on the knob's scale."""

    knob: ResolvedKnob

    @property
    def choices(self) -> tuple[Value, ...]:
        """The values of a knob whose values have no order; empty for a number."""
        return self.knob.knob.choices

    def value(self, coordinate: float) -> Value:
        """The value at `coordinate`, 0 to 1."""
        return self.choices[self.slot(coordinate)] if self.choices else self.knob.at(coordinate)

    def coordinate(self, value: Value) -> float:
        """Where `value` lies, 0 to 1: the middle of its slot, or its place on the scale."""
        if not self.choices:
            return self.knob.position(value)
        return self.middle(self.choices.index(value))

    def slot(self, coordinate: float) -> int:
        """Which choice's slot `coordinate` lies in, counted from 0."""
        return min(int(coordinate * len(self.choices)), len(self.choices) - 1)

    def middle(self, slot: int) -> float:
        """The middle of a choice's slot."""
        return (slot + 0.5) / len(self.choices)


class UnitCube:
    """Translates configurations of one knob space to points of the cube and back."""

    def __init__(self, space: KnobSpace) -> None:
        self.space = space
        self.axes = {knob.name: Axis(knob) for knob in space.knobs}

    def point(self, configuration: Mapping[str, Value]) -> dict[str, float]:
        """The coordinate of each knob."""
        return {name: axis.coordinate(configuration[name]) for name, axis in self.axes.items()}

    def configuration(self, point: Mapping[str, float]) -> Configuration:
        """The configuration at `point`, which holds a coordinate for every knob."""
        return self.space.configuration(
            {name: axis.value(point[name]) for name, axis in self.axes.items()}
        )

    def vector(self, configuration: Mapping[str, Value]) -> Floats:
        """The coordinates in the order of the space's knobs, shape (d,)."""
        return np.array(list(self.point(configuration).values()))

    def mixed(self, vector: Floats) -> dict[str, Coordinate]:
        """Each knob's coordinate, or the number of its choice: for backends with categories."""
        return {
            name: axis.slot(float(at)) if axis.choices else float(at)
            for (name, axis), at in zip(self.axes.items(), vector, strict=True)
        }

    def unmixed(self, mixed: Mapping[str, Coordinate]) -> Floats:
        """The vector, shape (d,), that `mixed` describes."""
        return np.array(
            [
                axis.middle(int(mixed[name])) if axis.choices else float(mixed[name])
                for name, axis in self.axes.items()
            ]
        )

    def at(self, vector: Floats) -> Configuration:
        """The configuration at coordinates in the order of the space's knobs."""
        return self.configuration(dict(zip(self.axes, map(float, vector), strict=True)))
