"""What is never applied: pure checks of a configuration against what is known of its server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmtune.errors import InvalidConfiguration, UnknownName
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.memory import memory_budget, memory_demand
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial, TrialStatus

PRIMARY_GROUPS = ("wal", "writer")
"""Groups of knobs that do little on a server that writes no WAL of its own."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the guards must know of a server; the default: a throw-away one.

    Attributes:
        clients: sessions that work at once: the workload's, or if those are more as
            many as others have open, or as the user says work at the busiest.
        connections: how many the server lets in at once; None: it was not asked.
        standby: it replays another server's WAL.
        allow_durability, allow_standby: the user accepts that risk.
    """

    clients: int = 1
    connections: int | None = None
    standby: bool = False
    allow_durability: bool = False
    allow_standby: bool = False

    def __post_init__(self) -> None:
        if self.clients < 1:
            raise ValueError(f"clients must be at least 1, not {self.clients}")


@dataclass(frozen=True, slots=True)
class Violation:
    """One reason not to apply a configuration.

    Attributes:
        guard: `range`, `memory`, `durability` or `standby`.
    """

    guard: str
    reason: str


def violations(
    configuration: Configuration, space: KnobSpace, facts: ServerFacts
) -> tuple[Violation, ...]:
    """Every reason not to apply the configuration; none: it may be applied."""
    wrong = tuple(_out_of_range(configuration, space))
    if wrong:
        return wrong  # the other guards count on legal values
    checks = (_too_hungry, _risky, _standby)
    return tuple(one for check in checks for one in check(configuration, space, facts))


def refusal(configuration: Configuration, space: KnobSpace, facts: ServerFacts) -> str:
    """Why not to apply the configuration, in one line; empty: it may be applied."""
    return "; ".join(one.reason for one in violations(configuration, space, facts))


def rejected(
    configuration: Configuration, space: KnobSpace, facts: ServerFacts, *, number: int, source: str
) -> Trial | None:
    """The trial of a configuration that is never applied; None: it may be applied."""
    reason = refusal(configuration, space, facts)
    if not reason:
        return None
    return Trial(number, source, configuration, TrialStatus.REJECTED, message=reason)


def _out_of_range(configuration: Configuration, space: KnobSpace) -> Iterator[Violation]:
    try:
        space.validate(configuration)
    except (InvalidConfiguration, UnknownName) as error:
        yield Violation("range", str(error))


def _too_hungry(
    configuration: Configuration, space: KnobSpace, facts: ServerFacts
) -> Iterator[Violation]:
    demand = memory_demand(configuration, space, facts.clients)
    budget = memory_budget(space, facts.clients)
    if demand > budget:
        yield Violation(
            "memory",
            f"could need more memory than the server has: {demand >> 20} MiB with "
            f"{facts.clients} sessions, of {budget >> 20} MiB",
        )


def _risky(
    configuration: Configuration, space: KnobSpace, facts: ServerFacts
) -> Iterator[Violation]:
    present = space.baseline()
    for name, value in configuration.items():
        risk = space[name].knob.durability and value != present[name]
        if risk and not facts.allow_durability:
            yield Violation(
                "durability",
                f"{name} = {value} risks committed data, which --allow-durability-risk allows",
            )


def _standby(
    configuration: Configuration, space: KnobSpace, facts: ServerFacts
) -> Iterator[Violation]:
    if not facts.standby:
        return
    if not facts.allow_standby:
        yield Violation("standby", "the server is a standby, which --allow-standby allows to tune")
    present = space.baseline()
    for name, value in configuration.items():
        if space[name].knob.group in PRIMARY_GROUPS and value != present[name]:
            yield Violation("standby", f"{name} does nothing on a standby")
