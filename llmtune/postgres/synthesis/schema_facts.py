"""Reading what synthesis knows of a schema from a live database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from psycopg import sql

from llmtune.postgres.plans import explain
from llmtune.postgres.synthesis.distribution import Statistics, distribution, from_sample
from llmtune.postgres.synthesis.inferred_joins import infer_joins
from llmtune.postgres.target import Connection
from workloads.synthesis.facts import Column, Family, Join, Relation, SchemaFacts

SAMPLED_ROWS = 3000
"""Of a table that was never analyzed."""

SAMPLED_LENGTH = 256
"""Characters of a sampled value: some are documents of megabytes. Those that agree so far
count as one value; none so long is ever written into a query."""

_FAMILIES = {
    **dict.fromkeys(("int2", "int4", "int8", "numeric", "float4", "float8"), Family.NUMBER),
    **dict.fromkeys(("date", "timestamp", "timestamptz"), Family.TIME),
    **dict.fromkeys(("text", "varchar", "bpchar"), Family.TEXT),
    "bool": Family.CHOICE,
}

_COLUMNS = """
    SELECT c.oid, n.nspname, c.relname, pg_table_is_visible(c.oid), c.reltuples, a.attname,
           CASE WHEN coalesce(b.typtype, t.typtype) = 'e' THEN 'bool'
                ELSE coalesce(b.typname, t.typname) END,
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique
                   AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum),
           s.null_frac, s.n_distinct, s.most_common_vals::text::text[],
           s.most_common_freqs, s.histogram_bounds::text::text[]
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_type b ON b.oid = t.typbasetype
      LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname
                          AND s.attname = a.attname AND s.inherited = (c.relkind = 'p')
     WHERE c.relkind IN ('r', 'm', 'p') AND NOT c.relispartition
       AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
       AND has_schema_privilege(n.oid, 'USAGE')
       AND has_column_privilege(c.oid, a.attnum, 'SELECT')
     ORDER BY n.nspname, c.relname, a.attnum
"""

_FOREIGN_KEYS = """
    SELECT k.conrelid, k.confrelid,
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(number, place)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number
                 ORDER BY place),
           ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(number, place)
                 JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number
                 ORDER BY place)
      FROM pg_constraint k
     WHERE k.contype = 'f' AND k.conparentid = 0
     ORDER BY k.conrelid::regclass::text, 3, k.confrelid::regclass::text
"""


@dataclass(frozen=True, slots=True)
class _Row:
    """One column, as the catalogue has it."""

    oid: int
    schema: str
    relation: str
    visible: bool
    tuples: float
    name: str
    base: str
    unique: bool
    nulls: float | None
    distinct: float | None
    common: Sequence[str] | None
    frequencies: Sequence[float] | None
    bounds: Sequence[str] | None

    @property
    def family(self) -> Family:
        return _FAMILIES.get(self.base, Family.OTHER)

    @property
    def table(self) -> sql.Identifier:
        names = (self.relation,) if self.visible else (self.schema, self.relation)
        return sql.Identifier(*names)


def read_facts(connection: Connection) -> SchemaFacts:
    """All relations with rows that this user may read, and how they join.

    Values come from the planner's statistics; of a table that was never analyzed, from
    its first rows. Joins are the foreign keys; a database without any has its joins
    inferred from names, types and values.
    """
    with connection.transaction(force_rollback=True):
        # Times as text sort as they should only when they are written year first.
        connection.execute("SET LOCAL datestyle = 'ISO, YMD'")
        rows = [_Row(*row) for row in connection.execute(_COLUMNS).fetchall()]
        relations = {
            oid: relation
            for oid, columns in groupby(rows, key=lambda row: row.oid)
            if (relation := _relation(connection, list(columns))) is not None
        }
        joins = _foreign_keys(connection, relations)
        facts = SchemaFacts(tuple(relations.values()), joins)
        return facts if joins else replace(facts, joins=infer_joins(connection, facts))


def _relation(connection: Connection, rows: Sequence[_Row]) -> Relation | None:
    """The relation; None when it is empty or has no column that could be used."""
    first = rows[0]
    sampled: Mapping[str, Statistics] = {}
    count = first.tuples
    if count <= 0 or all(row.nulls is None for row in rows):
        sampled = _sampled(connection, rows)
        if not sampled:
            return None
        count = _estimated_rows(connection, first.table)
    name = first.relation if first.visible else f"{first.schema}.{first.relation}"
    columns = tuple(_column(row, count, sampled.get(row.name)) for row in rows)
    return Relation(name, first.table.as_string(None), count, columns)


def _column(row: _Row, rows: float, sampled: Statistics | None) -> Column:
    statistics = sampled or _statistics(row, rows)
    known = distribution(statistics, row.family)
    return Column(
        name=row.name,
        sql=sql.Identifier(row.name).as_string(None),
        type=row.base,
        family=row.family,
        nulls=statistics.nulls,
        distinct=statistics.distinct,
        unique=row.unique,
        values=known.values,
        ladder=known.ladder,
        prefixes=known.prefixes,
    )


def _statistics(row: _Row, rows: float) -> Statistics:
    """What `pg_stats` has; a negative count of distinct values is a share of the rows."""
    distinct = row.distinct or 0.0
    return Statistics(
        nulls=row.nulls or 0.0,
        distinct=-distinct * rows if distinct < 0 else distinct,
        common=_texts(row, row.common),
        frequencies=tuple(row.frequencies or ()),
        bounds=_texts(row, row.bounds),
    )


def _texts(row: _Row, values: Sequence[str] | None) -> tuple[str, ...]:
    """The values; `char(n)` without the blanks that it does not compare."""
    blanks = " " if row.base == "bpchar" else ""
    return tuple(text.rstrip(blanks) if blanks else text for text in values or ())


def _sampled(connection: Connection, rows: Sequence[_Row]) -> dict[str, Statistics]:
    """Statistics of the table's first rows by column; empty when it has none."""
    names = [row.name for row in rows]
    query = sql.SQL("SELECT {} FROM {} LIMIT {}").format(
        sql.SQL(", ").join(
            sql.SQL("left({}::text, {})").format(sql.Identifier(name), SAMPLED_LENGTH)
            for name in names
        ),
        rows[0].table,
        SAMPLED_ROWS,
    )
    found = connection.execute(query).fetchall()
    if not found:
        return {}
    columns = zip(*found, strict=True)
    return {
        row.name: from_sample(list(values), row.family)
        for row, values in zip(rows, columns, strict=True)
    }


def _estimated_rows(connection: Connection, table: sql.Identifier) -> float:
    """The planner's guess from the file's size, where nothing else is known."""
    return max(explain(connection, f"SELECT FROM {table.as_string(None)}").rows, 1.0)


def _foreign_keys(connection: Connection, relations: Mapping[int, Relation]) -> tuple[Join, ...]:
    """Those whose two relations and columns are all known."""
    found = []
    for child, parent, child_columns, parent_columns in connection.execute(_FOREIGN_KEYS):
        if child in relations and parent in relations:
            sides = ((relations[child], child_columns), (relations[parent], parent_columns))
            if all(_has(relation, columns) for relation, columns in sides):
                found.append(
                    Join(
                        relations[child].name,
                        tuple(child_columns),
                        relations[parent].name,
                        tuple(parent_columns),
                    )
                )
    return tuple(dict.fromkeys(found))


def _has(relation: Relation, columns: Sequence[str]) -> bool:
    return set(columns) <= {column.name for column in relation.columns}
