"""The knob catalogue: reading `catalogue.toml`, its fingerprint, its check against a server."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from llmtune.errors import CatalogueMismatch
from llmtune.knobs.configuration import Value
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.knob import Effect, Kind, Knob, Scale
from llmtune.knobs.resolved import resolve
from llmtune.units import parse_setting

FIRST_VERSION, LAST_VERSION = 14, 18
"""The server's major versions that the catalogue covers."""

_EXTREMES = (Hardware(cores=1, memory=64 << 20), Hardware(cores=512, memory=4 << 40))
"""Bounds that are legal on both are legal on everything between."""

_EFFECTS = {
    "postmaster": (Effect.RESTART,),
    "sighup": (Effect.RELOAD,),
    "superuser": (Effect.RELOAD, Effect.SESSION),
    "user": (Effect.RELOAD, Effect.SESSION),
}
"""What a knob may say its effect is, by `pg_settings.context`. Reload is right
also for a setting of sessions, where background processes must see it too."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The knobs, in the order in which a model names them.

    Attributes:
        hash: sha256 (hex) of all that decides what a level means; the texts
            for people (`why`) do not count.
    """

    knobs: tuple[Knob, ...]
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        names = [knob.name for knob in self.knobs]
        if len(set(names)) != len(names):
            raise ValueError("two knobs of the catalogue have the same name")
        object.__setattr__(self, "hash", _fingerprint(self.knobs))

    @property
    def names(self) -> tuple[str, ...]:
        """Every knob's name, in order, whatever the server version."""
        return tuple(knob.name for knob in self.knobs)


@cache
def load_catalogue() -> Catalogue:
    """The catalogue that is shipped with this version of LLMTune."""
    text = resources.files("llmtune.knobs").joinpath("catalogue.toml").read_text(encoding="utf-8")
    return parse_catalogue(text)


def parse_catalogue(text: str) -> Catalogue:
    """A catalogue from the text of a TOML file; see `catalogue.toml` for its format.

    Raises:
        ValueError: it is not TOML, or says something impossible of a knob.
        KeyError, TypeError: a knob lacks a field or has an unknown one.
    """
    return Catalogue(tuple(_knob(entry) for entry in tomllib.loads(text)["knob"]))


def _knob(entry: Mapping[str, Any]) -> Knob:
    fields = dict(entry)
    kind, unit = Kind(fields.pop("kind")), fields.get("unit")
    defaults, effects = _history(fields.pop("default")), _history(fields.pop("effect"))
    choices = (False, True) if kind is Kind.BOOL else tuple(fields.pop("choices", ()))
    return Knob(
        kind=kind,
        scale=Scale(fields.pop("scale")),
        defaults=tuple((since, _value(default, kind, unit)) for since, default in defaults),
        effects=tuple((since, Effect(effect)) for since, effect in effects),
        choices=choices,
        specials=tuple(_value(special, kind, unit) for special in fields.pop("specials", ())),
        computed=tuple(_value(special, kind, unit) for special in fields.pop("computed", ())),
        **fields,
    )


def _history(entry: Any) -> list[tuple[int, Any]]:
    """Pairs (first version, what) from `{14 = .., 18 = ..}` or a single entry."""
    if not isinstance(entry, dict):
        return [(FIRST_VERSION, entry)]
    return sorted((int(since), what) for since, what in entry.items())


def _value(entry: Value, kind: Kind, unit: str | None) -> Value:
    if kind in (Kind.BOOL, Kind.ENUM):
        return entry
    number = parse_setting(str(entry), unit)
    return int(number) if kind is Kind.INTEGER else float(number)


def _fingerprint(knobs: tuple[Knob, ...]) -> str:
    """Order matters, since a model names the knobs in it."""
    entries = [{**asdict(knob), "why": None} for knob in knobs]
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One row of `pg_settings`; the fields have the columns' names and texts."""

    name: str
    vartype: str
    unit: str | None
    min_val: str | None
    max_val: str | None
    enumvals: tuple[str, ...] | None
    boot_val: str | None
    context: str


def check(catalogue: Catalogue, version: int, rows: Iterable[SettingRow]) -> None:
    """Compare the catalogue with the server's own description of its settings.

    Args:
        version: the server's major version.
        rows: of `pg_settings`, all or at least the catalogue's knobs.

    Raises:
        CatalogueMismatch: the message names every knob and what differs.
    """
    settings = {row.name: row for row in rows}
    found = [f"{name}: {one}" for name, one in differences(catalogue, version, settings).items()]
    for knob in catalogue.knobs:
        if knob.exists_in(version) and knob.name in settings:
            found += [f"{knob.name}: {one}" for one in _out_of_reach(knob, settings[knob.name])]
    if found:
        raise CatalogueMismatch(
            f"the knob catalogue does not describe this PostgreSQL {version} server: "
            + "; ".join(found)
        )


def differences(
    catalogue: Catalogue, version: int, settings: Mapping[str, SettingRow]
) -> dict[str, str]:
    """By knob, in what the server describes it otherwise; the ends of scales aside.

    Args:
        version: the server's major version.
        settings: rows of `pg_settings` by name.
    """
    found = {
        knob.name: "; ".join(_differ(knob, version, settings.get(knob.name)))
        for knob in catalogue.knobs
        if knob.exists_in(version)
    }
    return {name: difference for name, difference in found.items() if difference}


def _differ(knob: Knob, version: int, row: SettingRow | None) -> Iterator[str]:
    if row is None:
        yield "the server does not have it"
        return
    if (knob.kind, knob.unit) != (row.vartype, row.unit):
        ours, theirs = f"{knob.kind} in {knob.unit}", f"{row.vartype} in {row.unit}"
        yield f"the catalogue says {ours}, the server {theirs}"
        return
    if knob.effect(version) not in _EFFECTS.get(row.context, ()):
        yield f"the catalogue says {knob.effect(version)}, the server {row.context}"
    if row.boot_val is not None and knob.default(version) != _value_of(row.boot_val, knob):
        yield f"the catalogue says default {knob.default(version)}, the server {row.boot_val}"
    if knob.kind is Kind.ENUM:
        yield from (
            f"no choice {word!r}" for word in knob.choices if word not in (row.enumvals or ())
        )
    yield from _refused(row, knob.specials)


def _out_of_reach(knob: Knob, row: SettingRow) -> Iterator[str]:
    """Ends that the scale has on some hardware, but the server would refuse."""
    if not knob.choices:
        ends = [resolve(knob, FIRST_VERSION, hardware) for hardware in _EXTREMES]
        yield from _refused(row, [end for one in ends for end in (one.low, one.high)])


def _refused(row: SettingRow, numbers: Iterable[Value]) -> Iterator[str]:
    if row.min_val is None or row.max_val is None:
        return
    for number in map(float, numbers):
        if not float(row.min_val) <= number <= float(row.max_val):
            yield f"{number:g} is outside the server's {row.min_val} to {row.max_val}"


def _value_of(text: str, knob: Knob) -> Value:
    """A value as `pg_settings` writes it, in the knob's own type."""
    if knob.kind is Kind.BOOL:
        return text == "on"
    return text if knob.kind is Kind.ENUM else _value(text, knob.kind, None)
