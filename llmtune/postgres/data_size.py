"""How much a database has to read: what stays in memory, and what passes through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmtune.postgres.statistics import table_statistics
from llmtune.postgres.target import Connection

RING_SHARE = 0.25
"""A table above this share of shared buffers is read through a small ring, and not kept."""


@dataclass(frozen=True, slots=True)
class DataSize:
    """Bytes of a database.

    Attributes:
        database: all of it, with indexes and TOAST.
        tables: of each by its name, without its indexes; those whose bare name, as plans have
            it, is another's too are left out.
    """

    database: float
    tables: Mapping[str, float]

    def kept_in(self, shared_buffers: float) -> frozenset[str]:
        """The tables that a scan of the whole leaves there, in so far as there is room."""
        limit = shared_buffers * RING_SHARE
        return frozenset(name for name, size in self.tables.items() if size <= limit)

    def stays_in(self, shared_buffers: float) -> bool:
        """Whether all of it is kept there once it was read."""
        fits = self.database <= shared_buffers
        return fits and len(self.kept_in(shared_buffers)) == len(self.tables)


def data_size(connection: Connection) -> DataSize:
    """Of the connection's database."""
    row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    tables = {table.name: float(table.heap_bytes) for table in table_statistics(connection)}
    # A name that is no table's alone comes with its schema where the search path has another.
    twice = {name.rpartition(".")[2] for name in tables if "." in name}
    alone = {name: size for name, size in tables.items() if name.rpartition(".")[2] not in twice}
    return DataSize(float(row[0]) if row else 0.0, alone)
