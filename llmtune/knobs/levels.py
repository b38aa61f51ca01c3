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

    A level is a value on the catalogue's own scale. Where one server leaves less of
    it, a level outside stands for the nearer end; the others mean what they mean
    everywhere.

    Going to labels and back moves a value by at most half the gap between the
    two levels around it on the knob's own scale; defaults and special values
    come back exactly.
    """

    def __init__(self, space: KnobSpace) -> None:
        self.space = space
        self._values = {knob.name: _level_values(knob) for knob in space.knobs}
        self._places = {knob.name: _level_places(knob) for knob in space.knobs}

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
        place, places = knob.catalogued.fraction(value), self._places[name]
        return min(places, key=lambda label: [abs(each - place) for each in places[label]])

    def encode(self, configuration: Configuration) -> dict[str, str]:
        """Each knob's label, in catalogue order.

        Raises:
            UnknownName, InvalidConfiguration: it is not complete and valid in the space.
        """
        self.space.validate(configuration)
        return {name: self.label(name, configuration[name]) for name in self.space.names}

    def decode(self, labels: Mapping[str, str]) -> Configuration:
        """The configuration that labels stand for; knobs without one stay at their baseline.

        Raises:
            UnknownName: a knob that the space does not have.
            InvalidConfiguration: a label that its knob does not have.
        """
        return self.space.configuration(
            {name: self.value(name, label) for name, label in labels.items()}
        )


def _level_values(knob: ResolvedKnob) -> dict[str, Value]:
    values = {label: knob.clamped(value) for label, value in _levels(knob).items()}
    return {DEFAULT_LABEL: knob.default, **dict(zip(LEVELS, knob.specials, strict=False)), **values}


def _levels(knob: ResolvedKnob) -> dict[str, Value]:
    """What the levels of the scale, or the choices, mean on every server."""
    on_scale = knob.knob.choices or tuple(
        knob.catalogued.at_fraction(index / (knob.knob.levels - 1))
        for index in range(knob.knob.levels)
    )
    return dict(zip(LEVELS[len(knob.specials) :], on_scale, strict=False))


def _level_places(knob: ResolvedKnob) -> dict[str, tuple[float, float]]:
    """Where on the catalogue's scale the levels really lie: as values here, and as meant.

    Where an end is that of several levels, the meaning tells which is the nearest.
    """
    place = knob.catalogued.fraction
    return {
        label: (place(knob.clamped(value)), place(value)) for label, value in _levels(knob).items()
    }
