"""The sizes of the tables, from the server's own statistics."""

from __future__ import annotations

from dataclasses import dataclass

from llmtune.postgres.target import Connection


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """One table or materialized view of the connection's database.

    Attributes:
        name: bare, as plans have it; qualified by its schema only where the search path
            does not find the table and another one has its name too.
        rows: the planner's estimate, 0 when the table was never analyzed.
        heap_bytes: of the main fork, without TOAST.
        index_bytes: of all its indexes together.
    """

    name: str
    rows: int
    heap_bytes: int
    index_bytes: int
    index_count: int


@dataclass(frozen=True, slots=True)
class IndexStatistics:
    """The first column of an index.

    Attributes:
        rows_per_key: how many rows share a value of it, on average.
        correlation: -1 to 1, of its order with that of the rows in their table: see
            `pg_stats`. At 0 each row that the index leads to lies on another page.
    """

    rows_per_key: float
    correlation: float


def index_statistics(connection: Connection) -> dict[str, IndexStatistics]:
    """Of the indexes whose first column was analyzed and may be looked at, by their names."""
    rows = connection.execute(
        "SELECT i.relname::text, c.reltuples, s.n_distinct, coalesce(s.correlation, 0)"
        "  FROM pg_index x"
        "  JOIN pg_class i ON i.oid = x.indexrelid"
        "  JOIN pg_class c ON c.oid = x.indrelid"
        "  JOIN pg_namespace n ON n.oid = c.relnamespace"
        "  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]"
        "  JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname"
        "       AND s.attname = a.attname AND NOT s.inherited"
        " WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'"
        "   AND s.n_distinct <> 0 AND c.reltuples > 0"
    ).fetchall()
    return {
        name: IndexStatistics(count / distinct if distinct > 0 else -1 / distinct, correlation)
        for name, count, distinct, correlation in rows
    }


def table_statistics(connection: Connection) -> tuple[TableStatistics, ...]:
    """All user tables of the connection's database, largest heap first."""
    rows = connection.execute(
        "SELECT CASE WHEN pg_table_is_visible(c.oid)"
        "              OR count(*) OVER (PARTITION BY c.relname) = 1 THEN c.relname::text"
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
