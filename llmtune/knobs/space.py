"""The knob space: the knobs resolved for one server version and one hardware."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from llmtune.errors import InvalidConfiguration, UnknownName, UnsupportedServer, UsageError
from llmtune.knobs.catalogue import FIRST_VERSION, LAST_VERSION, Catalogue
from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.knob import Effect, Knob
from llmtune.knobs.resolved import ResolvedKnob, resolve

__all__ = ["UNTUNED", "KnobSpace", "ResolvedKnob", "resolve_space"]

UNTUNED = ("autovacuum_work_mem",)
"""Settings that are no knobs, and that the memory which a running server needs depends on."""


@dataclass(frozen=True, slots=True)
class KnobSpace:
    """The knobs that may be changed, in catalogue order, with their bounds.

    Attributes:
        version: the server's major version.
        server_defaults: the default of every knob of the catalogue that the
            server has, those outside this space included.
        present: what a running server has now, knobs outside this space
            included and, where known, `UNTUNED`; None for a server that is there
            to run on its defaults.
    """

    version: int
    hardware: Hardware
    knobs: tuple[ResolvedKnob, ...]
    catalogue_hash: str
    server_defaults: Configuration
    present: Configuration | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The knobs' names in catalogue order."""
        return tuple(knob.name for knob in self.knobs)

    def __getitem__(self, name: str) -> ResolvedKnob:
        for knob in self.knobs:
            if knob.name == name:
                return knob
        raise UnknownName("knob", name, self.names)

    def __contains__(self, name: object) -> bool:
        return any(knob.name == name for knob in self.knobs)

    def default(self) -> Configuration:
        """Every knob at the server's own default."""
        return Configuration({knob.name: knob.default for knob in self.knobs})

    def baseline(self) -> Configuration:
        """What a session starts from and compares with: the present values, or the defaults."""
        return Configuration({knob.name: knob.baseline for knob in self.knobs})

    @property
    def baseline_name(self) -> str:
        """For people: `current` settings of a running server, or the `default`."""
        return "default" if self.present is None else "current"

    @property
    def surroundings(self) -> Configuration:
        """Every knob's value while nobody changes it, those outside this space included.

        Of a running server also those of `UNTUNED` that are known.
        """
        return self.server_defaults if self.present is None else self.present

    def running(self, present: Mapping[str, Value]) -> KnobSpace:
        """The same space on a server that has these values now; they are its baseline.

        Args:
            present: a value for each knob of the space, and for as many others
                and of `UNTUNED` as are known. Values off the scale become valid here.
        """
        knobs = (replace(knob, present=present[knob.name]) for knob in self.knobs)
        kept = {*self.server_defaults, *UNTUNED}
        known = {name: value for name, value in present.items() if name in kept}
        return replace(
            self,
            knobs=tuple(knobs),
            present=Configuration({**self.server_defaults, **known}),
        )

    def within(self, ends: Mapping[str, tuple[float | None, float | None]]) -> KnobSpace:
        """The same space, with the scales of these knobs ended where one server wants it.

        Args:
            ends: see `ResolvedKnob.within`; those of a knob outside the space mean nothing.
        """
        knobs = (k.within(*ends[k.name]) if k.name in ends else k for k in self.knobs)
        return replace(self, knobs=tuple(knobs))

    def for_everyone(self) -> KnobSpace:
        """The part that a reload can change for all sessions, those of others included.

        What a session could set for itself alone takes a reload here.
        """
        knobs = (k for k in self.knobs if k.effect is not Effect.RESTART)
        return replace(self, knobs=tuple(replace(k, effect=Effect.RELOAD) for k in knobs))

    def configuration(self, changes: Mapping[str, Value]) -> Configuration:
        """A complete configuration: `changes`, and the baseline for all other knobs.

        Raises:
            UnknownName: a knob that this space does not have.
            InvalidConfiguration: a value that its knob does not allow.
        """
        return self._completed(changes, self.baseline())

    def from_default(self, changes: Mapping[str, Value]) -> Configuration:
        """A complete configuration: `changes`, and the server's own default for all other knobs.

        What `Configuration.changes` tells of a configuration beside `default` leads back to it.

        Raises:
            As `configuration`.
        """
        return self._completed(changes, self.default())

    def _completed(self, changes: Mapping[str, Value], others: Configuration) -> Configuration:
        given = {name: self[name].normalise(value) for name, value in changes.items()}
        return Configuration({**others, **given})

    def validate(self, configuration: Configuration) -> None:
        """Check that a configuration is complete and valid here.

        Raises:
            UnknownName: a knob that this space does not have.
            InvalidConfiguration: a knob is missing or has a value it does not allow.
        """
        missing = [name for name in self.names if name not in configuration]
        if missing:
            raise InvalidConfiguration(f"the configuration lacks {', '.join(missing)}")
        for name, value in configuration.items():
            self[name].normalise(value)

    def subset(self, names: Iterable[str]) -> KnobSpace:
        """The same space with fewer knobs, still in catalogue order.

        Raises:
            UnknownName: a knob that this space does not have.
        """
        wanted = {self[name].name for name in names}
        return replace(self, knobs=tuple(knob for knob in self.knobs if knob.name in wanted))

    def parse(self, name: str, text: str) -> Value:
        """A value as people write it: `"64MB"` gives 65536 for a knob that counts kB.

        Raises:
            UnknownName: no such knob here.
            InvalidConfiguration: no such value; the message has the legal ones.
        """
        return self[name].parse(text)


def resolve_space(
    catalogue: Catalogue,
    version: int,
    hardware: Hardware,
    names: Collection[str] | None = None,
    durability: bool = False,
    effects: Collection[Effect] | None = None,
) -> KnobSpace:
    """The knob space of a server.

    Args:
        version: the server's major version.
        names: only these knobs; None means all.
        durability: include knobs that risk committed data.
        effects: only knobs that take one of these to change; None means all.

    Raises:
        UnsupportedServer: the catalogue does not cover the version.
        UnknownName: a name that the catalogue does not have.
        UsageError: a named knob that this server lacks, or that risks
            committed data without `durability`.
    """
    if not FIRST_VERSION <= version <= LAST_VERSION:
        raise UnsupportedServer(
            f"the server is PostgreSQL {version}; supported are {FIRST_VERSION} to {LAST_VERSION}"
        )
    present = [knob for knob in catalogue.knobs if knob.exists_in(version)]
    for name in names or ():
        _check_name(name, catalogue, version, durability)
    chosen = [
        resolve(knob, version, hardware)
        for knob in present
        if (durability or not knob.durability) and (names is None or knob.name in names)
    ]
    return KnobSpace(
        version=version,
        hardware=hardware,
        knobs=tuple(knob for knob in chosen if effects is None or knob.effect in effects),
        catalogue_hash=catalogue.hash,
        server_defaults=Configuration({knob.name: knob.default(version) for knob in present}),
    )


def _check_name(name: str, catalogue: Catalogue, version: int, durability: bool) -> None:
    if name not in catalogue.names:
        raise UnknownName("knob", name, catalogue.names)
    knob: Knob = next(knob for knob in catalogue.knobs if knob.name == name)
    if not knob.exists_in(version):
        raise UsageError(
            f"knob {name} is tuned in PostgreSQL {knob.first} to {knob.last}, not in {version}"
        )
    if knob.durability and not durability:
        raise UsageError(f"knob {name} risks committed data and must be asked for: {knob.why}")
