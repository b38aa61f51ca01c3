"""Values of columns, drawn as the column has them, from statistics or a bounded look."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import psycopg
from psycopg import sql

from llmtune.postgres.target import Connection
from workloads.captured.scope import Column

SAMPLE_ROWS = 1000
_BOUNDS = b"SET LOCAL statement_timeout = '2s'; SET TRANSACTION READ ONLY"
"""Of one look: a view may compute anything before its first row, and a limit does not help."""

_FIND = """
    SELECT n.nspname, c.relname, c.relkind IN ('r', 'p', 'm'), greatest(c.reltuples, 0),
           t.typcategory = 'N'
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = %s AND a.attnum > 0
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE c.oid = to_regclass(%s) AND NOT a.attisdropped
"""
_STATISTICS = """
    SELECT coalesce(most_common_vals::text::text[], '{}'), coalesce(most_common_freqs, '{}'),
           coalesce(histogram_bounds::text::text[], '{}')
    FROM pg_stats WHERE schemaname = %s AND tablename = %s AND attname = %s
    ORDER BY inherited DESC LIMIT 1
"""
OURS = "/* llmtune */"
"""Marks what we run on the user's tables, for the server counts it among the statements."""

_LOOK = """
    SELECT /* llmtune */ v::text FROM (
        SELECT {column} AS v FROM {table} {sample} WHERE {column} IS NOT NULL LIMIT {rows}
    ) AS taken ORDER BY taken.v
"""


@dataclass(frozen=True, slots=True)
class ColumnValues:
    """Values of one column as text.

    Attributes:
        common: the most common ones with their frequencies.
        ordered: others in the column's own order, each as likely as the next.
        numbers: whether the texts are numbers.
    """

    common: tuple[tuple[str, float], ...]
    ordered: tuple[str, ...]
    numbers: bool = False

    def draw(self, rng: Random) -> str:
        """One value, as likely as the column has it."""
        shares = [share for _, share in self.common]
        if self.ordered:
            rest = max(1 - sum(shares), 0.0) if self.common else 1.0
            texts = [text for text, _ in self.common]
            index = rng.choices(range(len(texts) + 1), [*shares, max(rest, 1e-9)])[0]
            return texts[index] if index < len(texts) else rng.choice(self.ordered)
        return rng.choices([text for text, _ in self.common], shares)[0]

    def draw_ordered(self, rng: Random, count: int) -> list[str]:
        """That many values, none above the next."""
        places = sorted(rng.randrange(len(self.ordered)) for _ in range(count))
        return [self.ordered[place] for place in places]


def column_values(connection: Connection, column: Column, *, ordered: bool) -> ColumnValues | None:
    """Values of the first of its tables that has the column; None when none or no value is found.

    Args:
        ordered: values in order are needed, which take a look at the table where
            the statistics have no histogram.
    """
    for table in column.tables:
        name = sql.Identifier(*filter(None, (table.schema, table.name))).as_string(connection)
        found = connection.execute(_FIND, [column.name, name]).fetchone()
        if found is not None:
            return _values(connection, _Found(column.name, *found), ordered=ordered)
    return None


@dataclass(frozen=True, slots=True)
class _Found:
    """A column of a table; `can_sample` tells tables from views."""

    column: str
    schema: str
    table: str
    can_sample: bool
    rows: float
    numbers: bool


def _values(connection: Connection, found: _Found, *, ordered: bool) -> ColumnValues | None:
    place = [found.schema, found.table, found.column]
    texts, shares, bounds = connection.execute(_STATISTICS, place).fetchone() or ((), (), ())
    common = tuple(zip(texts, shares, strict=True))
    if bounds or (common and not ordered):
        return ColumnValues(common, tuple(bounds), found.numbers)
    try:
        with connection.transaction():
            connection.execute(_BOUNDS)
            seen = _look(connection, found)
    except psycopg.Error:  # a type without an order, no right to read, or a view that takes long
        if connection.broken:
            raise
        seen = ()
    values = seen or tuple(texts)
    return ColumnValues(common, values, found.numbers) if values else None


def _look(connection: Connection, found: _Found) -> tuple[str, ...]:
    """Values of at most `SAMPLE_ROWS` rows, from all over a large table."""
    percent = 100 * 20 * SAMPLE_ROWS / max(found.rows, 1)
    sample = sql.SQL("TABLESAMPLE SYSTEM ({})").format(sql.Literal(percent))
    statement = sql.SQL(_LOOK).format(
        column=sql.Identifier(found.column),
        table=sql.Identifier(found.schema, found.table),
        sample=sample if found.can_sample and percent < 100 else sql.SQL(""),
        rows=sql.Literal(SAMPLE_ROWS),
    )
    return tuple(text for (text,) in connection.execute(statement).fetchall())
