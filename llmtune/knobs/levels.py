"""Levels: the few values of a knob that a model can name, and their labels."""

from __future__ import annotations

from collections.abc import Mapping

from llmtune.errors import InvalidConfiguration
from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.resolved import ResolvedKnob
from llmtune.knobs.space import KnobSpace

LEVELS = "ABCDEFGHIJKL"
"""One letter for each level, lowest first."""

DEFAULT_LABEL = "default"
"""The label of the server's own default, whatever its value."""


class LevelCodec:
    """Translates configurations of one knob space to labels and back.

    A knob's labels are `default`, then letters: first its special values, then
    the levels of its scale from the low to the high end (a choice's values in
    their order). How many there are is fixed by the catalogue; only on small
    machines can rounding make neighbours equal, and then the first one is used.

    Going to labels and back moves a value by at most half the gap between the
    two levels around it on the knob's own scale; defaults and special values
    come back exactly.
    """

    def __init__(self, space: KnobSpace) -> None:
        self.space = space
        self._values = {knob.name: _level_values(knob) for knob in space.knobs}
        self._fractions = {knob.name: _level_fractions(knob) for knob in space.knobs}

    def labels(self, name: str) -> tuple[str, ...]:
        """The legal labels of a knob, `default` first, always in the same order.

        Raises:
            UnknownName: a knob that the space does not have.
        """
        return tuple(self._values[self.space[name].name])

    def value(self, name: str, label: str) -> Value:
        """The value that a label stands for.

        Raises:
            UnknownName: a knob that the space does not have.
            InvalidConfiguration: the knob does not have the label.
        """
        values = self._values[self.space[name].name]
        if label not in values:
            raise InvalidConfiguration(f"{name}: no level {label!r}; levels: {', '.join(values)}")
        return values[label]

    def label(self, name: str, value: Value) -> str:
        """The label of the level nearest to a valid value."""
        knob = self.space[name]
        if value == knob.default:
            return DEFAULT_LABEL
        if value in knob.specials:
            return LEVELS[knob.specials.index(value)]
        fraction, fractions = knob.fraction(value), self._fractions[name]
        return min(fractions, key=lambda label: abs(fractions[label] - fraction))

    def encode(self, configuration: Configuration) -> dict[str, str]:
        """Each knob's label, in catalogue order.

        Raises:
            UnknownName, InvalidConfiguration: it is not complete and valid in the space.
        """
        self.space.validate(configuration)
        return {name: self.label(name, configuration[name]) for name in self.space.names}

    def decode(self, labels: Mapping[str, str]) -> Configuration:
        """The configuration that labels stand for; knobs without one stay at their default.

        Raises:
            UnknownName: a knob that the space does not have.
            InvalidConfiguration: a label that its knob does not have.
        """
        return self.space.configuration(
            {name: self.value(name, label) for name, label in labels.items()}
        )


def _level_values(knob: ResolvedKnob) -> dict[str, Value]:
    on_scale = knob.knob.choices or tuple(
        knob.at_fraction(index / (knob.knob.levels - 1)) for index in range(knob.knob.levels)
    )
    letters = zip(LEVELS, (*knob.specials, *on_scale), strict=False)
    return {DEFAULT_LABEL: knob.default, **dict(letters)}


def _level_fractions(knob: ResolvedKnob) -> dict[str, float]:
    """Where on the scale the levels really lie, after rounding to values."""
    values = _level_values(knob)
    on_scale = LEVELS[len(knob.specials) : knob.knob.level_count]
    return {label: knob.fraction(values[label]) for label in on_scale}
