"""One knob as the catalogue describes it, before server version and hardware are known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from llmtune.knobs.bounds import Bound
from llmtune.knobs.configuration import Value

MAX_LEVELS = 12
"""A knob's special values and the levels on its scale are together at most these many."""

T = TypeVar("T")


class Kind(StrEnum):
    """The type of a knob's values, named as in `pg_settings.vartype`."""

    BOOL = "bool"
    INTEGER = "integer"
    REAL = "real"
    ENUM = "enum"


class Scale(StrEnum):
    """How the values between the bounds are spaced."""

    LOG = "log"
    LINEAR = "linear"
    CHOICE = "choice"


class Effect(StrEnum):
    """What it takes until the server uses a new value."""

    RESTART = "restart"
    RELOAD = "reload"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Knob:
    """One PostgreSQL setting that we may change.

    Values, defaults and specials are in `unit`, the unit of `pg_settings`.

    Attributes:
        low, high: where a sane administrator would search, not the legal
            limits; bytes if `unit` counts memory, else in `unit`. 0 for choices.
        levels: how many levels the scale is cut into, the same on any hardware.
        specials: values off the scale with a meaning of their own, such as -1.
        choices: the values of a bool or enum knob.
        defaults, effects: pairs (first server version, what holds from it on).
        first, last: the server versions that have the knob as it is described here;
            another one may have it with another type or limit.
        durability: some values risk committed data; excluded unless asked for.
        analyze: a new value only counts after ANALYZE.
        computed: special values in whose place the server reports what it chose.
        why: one line for users: what the knob does.
    """

    name: str
    group: str
    kind: Kind
    scale: Scale
    defaults: tuple[tuple[int, Value], ...]
    effects: tuple[tuple[int, Effect], ...]
    why: str
    unit: str | None = None
    low: Bound = 0
    high: Bound = 0
    levels: int = 0
    specials: tuple[Value, ...] = ()
    choices: tuple[Value, ...] = ()
    first: int = 14
    last: int = 18
    durability: bool = False
    analyze: bool = False
    computed: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        is_choice = self.kind in (Kind.BOOL, Kind.ENUM)
        if is_choice != (self.scale is Scale.CHOICE) or is_choice != bool(self.choices):
            raise ValueError(f"knob {self.name}: a {self.kind} knob cannot be {self.scale}")
        if not 2 <= self.level_count <= MAX_LEVELS or (not is_choice and self.levels < 2):
            raise ValueError(f"knob {self.name}: {self.level_count} levels, not 2 to {MAX_LEVELS}")
        if not set(self.computed) <= set(self.specials):
            raise ValueError(f"knob {self.name}: `computed` names values that are not special")

    @property
    def level_count(self) -> int:
        """Special values, choices and levels on the scale together."""
        return len(self.specials) + len(self.choices) + self.levels

    def exists_in(self, version: int) -> bool:
        """Whether servers of this major version have the knob so."""
        return self.first <= version <= self.last

    def default(self, version: int) -> Value:
        """The server's own default in this major version."""
        return _in_force(self.defaults, version)

    def effect(self, version: int) -> Effect:
        """What a change takes in this major version."""
        return _in_force(self.effects, version)


def _in_force(history: tuple[tuple[int, T], ...], version: int) -> T:
    return [what for since, what in history if since <= version or since == history[0][0]][-1]
