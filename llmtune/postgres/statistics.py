"""The sizes of the tables, from the server's own statistics."""

from __future__ import annotations

from dataclasses import dataclass

from llmtune.postgres.target import Connection


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """One table or materialized view of the connection's database.

    Attributes:
        name: qualified by its schema only where the search path does not find it.
        rows: the planner's estimate, 0 when the table was never analyzed.
        heap_bytes: of the main fork, without TOAST.
        index_bytes: of all its indexes together.
    """

    name: str
    rows: int
    heap_bytes: int
    index_bytes: int
    index_count: int


def table_statistics(connection: Connection) -> tuple[TableStatistics, ...]:
    """All user tables of the connection's database, largest heap first."""
    rows = connection.execute(
        "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname::text"
        "            ELSE n.nspname || '.' || c.relname END,"
        "       greatest(c.reltuples, 0)::bigint,"
        "       pg_relation_size(c.oid), pg_indexes_size(c.oid),"
        "       (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid)"
        "  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema'"
        "   AND n.nspname NOT LIKE 'pg\\_%'"
        " ORDER BY 3 DESC, 1"
    ).fetchall()
    return tuple(TableStatistics(*row) for row in rows)
