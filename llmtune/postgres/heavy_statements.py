"""The statements that a database spends its time on, from `pg_stat_statements`."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from llmtune.errors import TargetError, UsageError
from llmtune.postgres.target import Connection

HIDDEN = "<insufficient privilege>"
_NAME = "pg_stat_statements"
_EXTENSION = """
    SELECT n.nspname, array_agg(a.attname::text)
    FROM pg_extension e
    JOIN pg_namespace n ON n.oid = e.extnamespace
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = e.extname
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE e.extname = 'pg_stat_statements'
    GROUP BY n.nspname
"""
_HEAVIEST = """
    SELECT coalesce(s.queryid, 0), min(s.query), sum(s.calls)::bigint, sum(s.{time}) / 1000
    FROM {view} s JOIN pg_database d ON d.oid = s.dbid
    WHERE d.datname = current_database() AND s.query IS NOT NULL AND {top}
      AND s.calls > 0
    GROUP BY 1 ORDER BY 4 DESC, 1 LIMIT {most}
"""


@dataclass(frozen=True, slots=True)
class HeavyStatement:
    """One statement with its constants replaced by `$1`, `$2` ...

    Attributes:
        query_id: the server's own number of it, 0 for all that our role may not see.
        sql: `HIDDEN` for those.
        seconds: total execution time of all calls.
    """

    query_id: int
    sql: str
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Installed:
    """The extension in one database: its schema, and the columns of its view."""

    schema: str
    columns: frozenset[str]


def heavy_statements(connection: Connection, most: int) -> tuple[HeavyStatement, ...]:
    """The `most` statements of the connection's database with the longest total time.

    Statements inside functions do not count, nor do those that were only planned, and
    those of all users are added up.

    Raises:
        UsageError: the extension is missing in this database, or its library is not
            loaded; what to do is said.
        TargetError: it cannot be read for another reason.
    """
    try:
        return _read(connection, most)
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        raise UsageError(
            f"the server runs without {_NAME}: add it to shared_preload_libraries, restart the "
            "server, let your application work for a while, and try again"
        ) from error
    except psycopg.Error as error:
        raise TargetError(f"{_NAME} cannot be read: {str(error).strip()}") from error


def statistics_extension(connection: Connection) -> Installed:
    """Where this database has `pg_stat_statements`.

    Raises:
        UsageError: it has none; what to do is said.
    """
    row = connection.execute(_EXTENSION).fetchone()
    if row is None:
        raise UsageError(
            f"the database {connection.info.dbname} has no {_NAME}: run CREATE EXTENSION {_NAME} "
            "in it; the server's shared_preload_libraries must hold it too"
        )
    return Installed(row[0], frozenset(row[1]))


def _read(connection: Connection, most: int) -> tuple[HeavyStatement, ...]:
    installed = statistics_extension(connection)
    columns = installed.columns
    # A server of a new version may still have the extension of an old one.
    statement = sql.SQL(_HEAVIEST).format(
        time=sql.Identifier("total_exec_time" if "total_exec_time" in columns else "total_time"),
        view=sql.Identifier(installed.schema, _NAME),
        top=sql.SQL("s.toplevel" if "toplevel" in columns else "true"),
        most=sql.Literal(most),
    )
    return tuple(HeavyStatement(*row) for row in connection.execute(statement).fetchall())
