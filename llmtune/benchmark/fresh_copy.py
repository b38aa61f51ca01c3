"""The same database for every trial: each runs on a fresh copy of a pristine one.

A transaction mix changes its data, so trial 50 would otherwise meet other rows, other
indexes and more dead tuples than trial 1. The loaded database is never written to.
Each trial gets a copy of its files, which is dropped after the trial.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol

import psycopg
from psycopg import sql

from llmtune.errors import ConnectionFailed, TargetError
from llmtune.postgres.target import Connection, Target

SUFFIX = "_trial"
_LOCK = 0x6C6C6D7472
"""The advisory lock held as long as a copy exists: who has it may drop every copy."""

_PATIENCE = {"statement_timeout": "0", "lock_timeout": "0", "idle_session_timeout": "0"}

_STRATEGY_SINCE = 15
"""From this version on the server would write the copy into the WAL block by block, unless
asked to copy files; before, it always copied files."""


class FreshCopies(Protocol):
    """Where a trial's own copy of a database lives, and how it is made."""

    def __call__(self, target: Target, database: str) -> AbstractContextManager[str]:
        """Make a copy of `database`; the context gives its name and drops it at its end.

        Leftovers of runs that were killed are dropped first.

        Raises:
            ConnectionFailed: the server went away.
            TargetError: the server refuses, as for want of disk space.
        """
        ...


@contextmanager
def template_copy(target: Target, database: str) -> Iterator[str]:
    """`FreshCopies` on the same server, by CREATE DATABASE ... TEMPLATE.

    The server checkpoints before it copies the files and again after it (its
    `dbcommands.c`), so that the trial begins with nothing left to write. Its disk needs
    room for the data set a second time.
    """
    name = database + SUFFIX
    with target.connect(settings=_PATIENCE) as control:
        try:
            _make(control, database, name, target.version)
            yield name
        finally:
            # A server that crashed has lost the control connection too.
            with suppress(ConnectionFailed, psycopg.OperationalError), target.connect() as again:
                _drop(again, name)


def _make(control: Connection, database: str, name: str, version: int) -> None:
    try:
        control.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        _drop_leftovers(control)
        _copy(control, database, name, version)
    except psycopg.Error as error:
        if control.closed:
            raise ConnectionFailed(f"the server went away: {error}") from error
        raise TargetError(f"cannot copy the database {database} for a trial: {error}") from error


def _copy(control: Connection, database: str, name: str, version: int) -> None:
    statement = "CREATE DATABASE {} TEMPLATE {}"
    if version >= _STRATEGY_SINCE:
        statement += " STRATEGY FILE_COPY"
    control.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(database)))


def _drop_leftovers(control: Connection) -> None:
    rows = control.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname, 'llmtune_')"
        " AND right(datname, %s) = %s",
        [len(SUFFIX), SUFFIX],
    ).fetchall()
    for (name,) in rows:
        _drop(control, name)


def _drop(control: Connection, name: str) -> None:
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    control.execute(statement.format(sql.Identifier(name)))
