"""A knob space as the unit cube: one coordinate from 0 to 1 for each knob."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.space import KnobSpace, ResolvedKnob


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
        if not self.choices:
            return self.knob.at(coordinate)
        return self.choices[min(int(coordinate * len(self.choices)), len(self.choices) - 1)]

    def coordinate(self, value: Value) -> float:
        """Where `value` lies, 0 to 1: the middle of its slot, or its place on the scale."""
        if not self.choices:
            return self.knob.position(value)
        return (self.choices.index(value) + 0.5) / len(self.choices)


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
