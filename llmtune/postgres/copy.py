"""Stream one table's rows into the server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from llmtune.errors import LoadError
from llmtune.postgres.target import Connection
from workloads.workload import Table

_PLACE = re.compile(r"line \d+(, column \w+)?")
"""Where COPY met an error, in the context of its message."""


def copy_table(connection: Connection, table: Table, sent: Callable[[int], None]) -> int:
    """Create `table`, fill it, and return the number of its rows.

    The transaction that copies is the one that creates the table: only then may rows
    arrive frozen, which spares VACUUM its second write, and only then does
    wal_level = minimal skip their WAL.

    Args:
        sent: called with the number of bytes of each chunk that was sent.

    Raises:
        LoadError: the server refuses a row; the message names the origin and the line.
    """
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT csv, FREEZE, ESCAPE {})").format(
        sql.Identifier(table.name), sql.Literal(table.escape)
    )
    with _broken_rows_named(table), connection.transaction(), connection.cursor() as cursor:
        cursor.execute(table.create.encode())
        with cursor.copy(statement) as copy:
            for chunk in table.rows():
                copy.write(chunk)
                sent(len(chunk))
        return cursor.rowcount


@contextmanager
def _broken_rows_named(table: Table) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        place = _PLACE.search(error.diag.context or "")
        if place is None:
            raise
        origin = table.origin or f"the rows of table {table.name}"
        raise LoadError(f"{origin}, {place[0]}: {error.diag.message_primary}") from error
