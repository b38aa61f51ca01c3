"""What the guards must know of a server that others use, asked of the server itself."""

from __future__ import annotations

from dataclasses import dataclass

from llmtune.postgres.live.in_use import InUse
from llmtune.postgres.server_settings import read_settings
from llmtune.postgres.target import Connection
from llmtune.tuning.guards import ServerFacts

OTHERS = ("autovacuum_work_mem",)
"""Settings that no knob space has and that memory depends on."""


@dataclass(frozen=True, slots=True)
class Risks:
    """What the user accepts."""

    durability: bool = False
    standby: bool = False


NO_RISKS = Risks()


def server_facts(
    connection: Connection, in_use: InUse, clients: int, *, standby: bool, risks: Risks
) -> ServerFacts:
    """The facts of a server that is there for others too.

    Args:
        clients: sessions of the workload; those that are open count if they are more.
    """
    now = read_settings(connection, OTHERS)
    return ServerFacts(
        clients=max(clients, in_use.connections, 1),
        others={name: now[name].value for name in OTHERS if name in now},
        standby=standby,
        allow_durability=risks.durability,
        allow_standby=risks.standby,
    )
