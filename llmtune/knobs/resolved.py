"""One knob resolved for a server version and a hardware: bounds are numbers now."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal

from llmtune.errors import InvalidConfiguration, UsageError
from llmtune.knobs.bounds import Bound, evaluate
from llmtune.knobs.configuration import Value
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.knob import Effect, Kind, Knob, Scale
from llmtune.units import format_setting, is_memory_unit, parse_setting, unit_factor

SPECIAL_SHARE = 0.1
"""Of the unit interval, each special value takes this much; the scale has the rest."""

_BOOLS = {"on": True, "true": True, "yes": True, "1": True}
_BOOLS.update({"off": False, "false": False, "no": False, "0": False})


@dataclass(frozen=True, slots=True)
class ResolvedKnob:
    """A knob with bounds and default in its own unit.

    Attributes:
        low, high: the ends of the scale, both legal; for a choice, the first
            and the last index of `knob.choices`.
        default: the server's own; always valid, even when it lies outside the bounds.
        effect: what a change takes on this server version.
        present: what a running server has now, where we tune one; always valid too.
        catalogue_ends: the ends that the catalogue gives the scale, where `low` and `high`
            are narrower because one server leaves less; None: they are the same.
    """

    knob: Knob
    low: float
    high: float
    default: Value
    effect: Effect
    present: Value | None = None
    catalogue_ends: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """The setting's name."""
        return self.knob.name

    @property
    def unit(self) -> str | None:
        """The unit of `pg_settings` in which values count."""
        return self.knob.unit

    @property
    def specials(self) -> tuple[Value, ...]:
        """Values off the scale with a meaning of their own, always valid."""
        return self.knob.specials

    @property
    def baseline(self) -> Value:
        """What a changed value is compared with: the present one, or else the default."""
        return self.default if self.present is None else self.present

    @property
    def catalogued(self) -> ResolvedKnob:
        """The knob on the scale that the catalogue gives it, wherever this server ends it.

        What is learnt on one server and used on another counts on this scale: levels,
        and a surrogate's positions. Optimizers search the narrower one.
        """
        if self.catalogue_ends is None:
            return self
        low, high = self.catalogue_ends
        return replace(self, low=low, high=high, catalogue_ends=None)

    def contains(self, value: Value) -> bool:
        """Whether the value is allowed: on the scale, special, the default or the baseline."""
        if not self._is_typed(value):
            return False
        if value in (self.default, self.baseline) or value in self.specials:
            return True
        if self.knob.choices:
            return value in self.knob.choices
        return not isinstance(value, str) and self.low <= value <= self.high

    def normalise(self, value: Value) -> Value:
        """The value in its knob's type: 8.0 becomes 8 for an integer, 1 becomes 1.0 for a real.

        Raises:
            InvalidConfiguration: the knob does not allow the value.
        """
        if isinstance(value, int | float) and not isinstance(value, bool):
            if self.knob.kind is Kind.INTEGER and float(value).is_integer():
                value = int(value)
            elif self.knob.kind is Kind.REAL:
                value = float(f"{value:.6g}")  # the server shows six digits
        if not self.contains(value):
            raise InvalidConfiguration(f"{self.name}: {value!r} is not allowed; {self.legal}")
        return value

    def within(self, low: float | None, high: float | None) -> ResolvedKnob:
        """The knob with a scale that ends at `low` and `high`, where those are narrower.

        The default moves inside too: beside special values, only what the server has
        already may lie outside. What levels mean stays: see `catalogued`.

        Args:
            low, high: in the knob's unit; None: as far as the scale goes.

        Raises:
            ValueError: nothing is left between the ends.
        """
        lowest = -math.inf if low is None else low
        highest = math.inf if high is None else high
        ends, default = (max(self.low, lowest), min(self.high, highest)), self.default
        if not ends[0] < ends[1]:
            raise ValueError(f"knob {self.name}: nothing is left between {low} and {high}")
        if not isinstance(default, str) and default not in self.specials:
            default = type(default)(min(max(default, lowest), highest))
        narrowed = replace(self, low=ends[0], high=ends[1], default=default)
        catalogued = self.catalogue_ends or (self.low, self.high)
        return self if narrowed == self else replace(narrowed, catalogue_ends=catalogued)

    def fraction(self, value: Value) -> float:
        """Where on its own scale, 0 to 1, an ordinary value lies; the nearer end if outside."""
        if self.knob.choices:
            return self.knob.choices.index(value) / (len(self.knob.choices) - 1)
        number = min(max(float(value), self.low), self.high)
        if self.knob.scale is Scale.LOG:
            return math.log(number / self.low) / math.log(self.high / self.low)
        return (number - self.low) / (self.high - self.low)

    def at_fraction(self, fraction: float) -> Value:
        """The valid ordinary value nearest to `fraction`, 0 to 1, of the scale."""
        fraction = min(max(fraction, 0.0), 1.0)
        if self.knob.choices:
            return self.knob.choices[round(fraction * (len(self.knob.choices) - 1))]
        if self.knob.scale is Scale.LOG:
            number = self.low * (self.high / self.low) ** fraction
        else:
            number = self.low + (self.high - self.low) * fraction
        return self.rounded(min(max(number, self.low), self.high))

    def rounded(self, number: float) -> Value:
        """A number within the bounds as a value that people can read."""
        return self.clamped(readable(number, self.knob))

    def clamped(self, value: Value) -> Value:
        """The value, or the nearer end of the scale where it is a number outside."""
        if isinstance(value, str) or self.knob.choices:
            return value
        return type(value)(min(max(value, self.low), self.high))

    def position(self, value: Value) -> float:
        """The value's place in the unit interval, for optimizers.

        Special values take the first tenths, one each, in their order; a default
        or a baseline that lies outside the bounds is put at the nearer end.
        """
        if value in self.specials:
            return (self.specials.index(value) + 0.5) * SPECIAL_SHARE
        off_scale = len(self.specials) * SPECIAL_SHARE
        return off_scale + self.fraction(value) * (1 - off_scale)

    def at(self, position: float) -> Value:
        """The value at a place in the unit interval; the inverse of `position`."""
        off_scale = len(self.specials) * SPECIAL_SHARE
        if position < off_scale:
            return self.specials[max(0, int(position / SPECIAL_SHARE))]
        return self.at_fraction((position - off_scale) / (1 - off_scale))

    def format(self, value: Value) -> str:
        """The value as the server accepts it and people read it, such as `"128MB"`, `"on"`."""
        if isinstance(value, bool):
            return "on" if value else "off"
        return value if isinstance(value, str) else format_setting(value, self.unit)

    def parse(self, text: str) -> Value:
        """The value that a person wrote, such as `"64MB"`.

        Raises:
            InvalidConfiguration: it is no value of this knob; the message has the legal ones.
        """
        word = text.strip().strip("'")
        if self.knob.kind is Kind.BOOL:
            return self.normalise(_BOOLS.get(word.lower(), word))
        return self.normalise(word if self.knob.kind is Kind.ENUM else self._number(word))

    @property
    def legal(self) -> str:
        """The allowed values in words, for messages."""
        if self.knob.choices:
            return "choose from " + ", ".join(self.format(choice) for choice in self.knob.choices)
        ends = [self.rounded(end) for end in (self.low, self.high)]
        others = [self.format(one) for one in (*self.specials, self.default, self.baseline)]
        return f"{' to '.join(map(self.format, ends))}, or {', '.join(dict.fromkeys(others))}"

    def _is_typed(self, value: Value) -> bool:
        match self.knob.kind:
            case Kind.BOOL:
                return isinstance(value, bool)
            case Kind.ENUM:
                return isinstance(value, str)
            case Kind.INTEGER:
                return isinstance(value, int) and not isinstance(value, bool)
            case Kind.REAL:
                return isinstance(value, float) and math.isfinite(value)

    def _number(self, word: str) -> int | float:
        try:
            number: Decimal = parse_setting(word, self.unit)
        except UsageError as error:
            raise InvalidConfiguration(f"{self.name}: {error}; {self.legal}") from error
        return float(number)


def resolve(knob: Knob, version: int, hardware: Hardware) -> ResolvedKnob:
    """The knob on a server of this version that may use this hardware.

    Raises:
        ValueError: the catalogue's bounds are impossible on this hardware.
    """
    low, high = 0.0, float(len(knob.choices) - 1)
    if not knob.choices:
        low, high = _bound(knob.low, knob, hardware), _bound(knob.high, knob, hardware)
    if not low < high:
        raise ValueError(f"knob {knob.name}: the bounds {low:g} and {high:g} leave nothing between")
    return ResolvedKnob(knob, low, high, knob.default(version), knob.effect(version))


def _bound(bound: Bound, knob: Knob, hardware: Hardware) -> float:
    number = evaluate(bound, hardware)
    if is_memory_unit(knob.unit):
        number /= unit_factor(knob.unit)
    return float(readable(number, knob))


def readable(number: float, knob: Knob) -> int | float:
    """The nearest number with few digits: three decimal ones, or six binary ones for memory.

    So that files and tables show 15GB or 0.354 and not 14.9612GB or 0.353553;
    the step is under a thirtieth of the number, far below a level.
    """
    if knob.kind is Kind.REAL:
        return float(f"{number:.3g}")
    if not is_memory_unit(knob.unit) or number < 64:
        return round(number)
    step = 1 << (int(math.log2(number)) - 5)
    return round(number / step) * step
