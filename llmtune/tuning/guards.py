"""What is never applied: pure checks of a configuration against what is known of its server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from llmtune.errors import InvalidConfiguration, UnknownName
from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.memory import BUDGET_SHARE, memory_demand
from llmtune.knobs.space import KnobSpace

PRIMARY_GROUPS = ("wal", "writer")
"""Groups of knobs that do little on a server that writes no WAL of its own."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the guards must know of a server; the default: a throw-away one.

    Attributes:
        clients: sessions that work at once: the workload's, or if those are more as
            many as others have open, or as the user says work at the busiest.
        others: values in force of settings outside the knob space that memory
            depends on, such as `autovacuum_work_mem`; empty for a throw-away server.
        standby: it replays another server's WAL.
        allow_durability, allow_standby: the user accepts that risk.
    """

    clients: int = 1
    others: Mapping[str, Value] = field(default_factory=dict)
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


def server_demand(configuration: Configuration, space: KnobSpace, facts: ServerFacts) -> int:
    """Bytes that the server can come to use at its worst.

    `memory_demand`, and what a larger `autovacuum_work_mem` adds to it.
    """
    demand = memory_demand(configuration, space, facts.clients)
    if space.present is None:
        return demand
    values = {**space.surroundings, **configuration}
    own = float(facts.others.get("autovacuum_work_mem", -1))
    more = max(0.0, own - float(values["maintenance_work_mem"]))
    return demand + (int(more * float(values["autovacuum_max_workers"])) << 10)


def server_budget(space: KnobSpace, facts: ServerFacts) -> int:
    """Bytes that a configuration may demand; never less than what runs there already does."""
    share = int(space.hardware.memory * BUDGET_SHARE)
    return max(share, server_demand(space.baseline(), space, facts))


def _out_of_range(configuration: Configuration, space: KnobSpace) -> Iterator[Violation]:
    try:
        space.validate(configuration)
    except (InvalidConfiguration, UnknownName) as error:
        yield Violation("range", str(error))


def _too_hungry(
    configuration: Configuration, space: KnobSpace, facts: ServerFacts
) -> Iterator[Violation]:
    demand = server_demand(configuration, space, facts)
    budget = server_budget(space, facts)
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
