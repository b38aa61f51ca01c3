"""What the guards must know of a server that others use, asked of the server itself."""

from __future__ import annotations

from dataclasses import dataclass

from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.server_settings import read_settings
from llmtune.postgres.target import Connection, Target
from llmtune.tuning.guards import ServerFacts

CONNECTIONS = "max_connections"

OPEN = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datid IS NOT NULL AND usesysid IS NOT NULL
        AND (usename, application_name)
            IS DISTINCT FROM (current_user, current_setting('application_name'))
"""
"""Other people's sessions: ours come and go, and those that work are the workload's."""


@dataclass(frozen=True, slots=True)
class Risks:
    """What the user accepts, and for how many sessions there must be memory.

    Attributes:
        peak_sessions: that work at once at the busiest; None: the user does not say.
    """

    durability: bool = False
    standby: bool = False
    peak_sessions: int | None = None

    def sessions(self, *seen: int) -> int:
        """For how many there must be memory, where so many are seen."""
        return max(*seen, self.peak_sessions or 1, 1)


NO_RISKS = Risks()


def server_facts(
    connection: Connection, clients: int, *, standby: bool, risks: Risks
) -> ServerFacts:
    """The facts of a server that is there for others too.

    Args:
        clients: sessions of the workload; those that others have open just now count if
            they are more, and those that the user states.
    """
    allowed = read_settings(connection, [CONNECTIONS])[CONNECTIONS].value
    row = connection.execute(OPEN).fetchone()
    return ServerFacts(
        clients=risks.sessions(clients, row[0] if row else 0),
        connections=int(allowed),
        standby=standby,
        allow_durability=risks.durability,
        allow_standby=risks.standby,
    )


def facts_of(target: Target, clients: int, risks: Risks) -> ServerFacts:
    """The facts of any target; only a server that is there for others too is asked.

    Args:
        clients: sessions of the workload.
    """
    if not isinstance(target, DsnTarget):
        return ServerFacts(risks.sessions(clients), allow_durability=risks.durability)
    standby = target.report.standby
    with target.connect() as connection:
        return server_facts(connection, clients, standby=standby, risks=risks)
