"""A knob space as the unit cube: one coordinate from 0 to 1 for each knob."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.knob import Kind
from llmtune.knobs.space import KnobSpace, ResolvedKnob

SPECIAL_SHARE = 0.1
"""The share of a knob's axis that each special value takes, at the low end."""


class Axis(Protocol):
    """One knob's values along 0 to 1."""

    def value(self, coordinate: float) -> Value:
        """The value at `coordinate`, 0 to 1."""
        ...

    def coordinate(self, value: Value) -> float:
        """A coordinate, 0 to 1, at which `value` lies or that is nearest to it."""
        ...


@dataclass(frozen=True, slots=True)
class ChoiceAxis:
    """Values without an order, in slots of equal width."""

    choices: tuple[Value, ...]

    def value(self, coordinate: float) -> Value:
        """The value of the slot that holds `coordinate`."""
        return self.choices[min(int(coordinate * len(self.choices)), len(self.choices) - 1)]

    def coordinate(self, value: Value) -> float:
        """The middle of the value's slot."""
        return (self.choices.index(value) + 0.5) / len(self.choices)


@dataclass(frozen=True, slots=True)
class NumberAxis:
    """Slots for the special values, then the knob's own scale."""

    knob: ResolvedKnob

    @property
    def _specials_end(self) -> float:
        return SPECIAL_SHARE * len(self.knob.specials)

    def value(self, coordinate: float) -> Value:
        """A special value or the value at that position of the knob's scale."""
        if coordinate < self._specials_end:
            return self.knob.specials[int(coordinate / SPECIAL_SHARE)]
        return self.knob.at((coordinate - self._specials_end) / (1.0 - self._specials_end))

    def coordinate(self, value: Value) -> float:
        """The middle of a special value's slot, or the scaled position."""
        if value in self.knob.specials:
            return (self.knob.specials.index(value) + 0.5) * SPECIAL_SHARE
        position = min(1.0, max(0.0, self.knob.position(value)))
        return self._specials_end + position * (1.0 - self._specials_end)


class UnitCube:
    """Translates configurations of one knob space to points of the cube and back."""

    def __init__(self, space: KnobSpace) -> None:
        self.space = space
        self.axes: dict[str, ChoiceAxis | NumberAxis] = {
            knob.name: _axis(knob) for knob in space.knobs
        }

    def point(self, configuration: Mapping[str, Value]) -> dict[str, float]:
        """The coordinate of each knob."""
        return {name: axis.coordinate(configuration[name]) for name, axis in self.axes.items()}

    def configuration(self, point: Mapping[str, float]) -> Configuration:
        """The configuration at `point`, which holds a coordinate for every knob."""
        return self.space.configuration(
            {name: axis.value(point[name]) for name, axis in self.axes.items()}
        )


def _axis(knob: ResolvedKnob) -> ChoiceAxis | NumberAxis:
    if knob.knob.kind is Kind.BOOL:
        return ChoiceAxis((False, True))
    if knob.knob.kind is Kind.ENUM:
        return ChoiceAxis(tuple(knob.knob.choices))
    return NumberAxis(knob)
