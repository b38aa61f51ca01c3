"""How much of a server is in use."""

from __future__ import annotations

from dataclasses import dataclass

from llmtune.postgres.target import Connection

READ = """
    SELECT
        (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL AND usesysid IS NOT NULL),
        (SELECT count(*) FROM pg_replication_slots),
        (SELECT count(*) FROM pg_stat_replication),
        (SELECT count(*) FROM pg_prepared_xacts)
"""
"""A role without `pg_read_all_stats` is not told what other roles' processes are, but
it sees every row with its database and user; parallel workers may count too then."""


@dataclass(frozen=True, slots=True)
class InUse:
    """What a server holds at one moment.

    Attributes:
        connections: sessions that are open, ours included.
        replication_slots: slots that exist, active or not.
        wal_senders: standbys, backups and logical subscribers that receive WAL.
        prepared_transactions: waiting for COMMIT PREPARED.
    """

    connections: int = 0
    replication_slots: int = 0
    wal_senders: int = 0
    prepared_transactions: int = 0


def read_in_use(connection: Connection) -> InUse:
    """Ask the server; any role may."""
    row = connection.execute(READ).fetchone()
    return InUse(*row) if row else InUse()
