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
from llmtune.postgres.databases import PATIENCE, check_room, drop, drop_ours
from llmtune.postgres.target import Connection, Target

SUFFIX = "_trial"
_LOCK = 0x6C6C6D7472
"""The advisory lock held as long as a copy exists: who has it may drop every copy."""

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
    with target.connect(settings=PATIENCE) as control:
        try:
            _make(control, database, name, target.version)
            yield name
        finally:
            # A server that crashed has lost the control connection too.
            with suppress(ConnectionFailed, psycopg.OperationalError), target.connect() as again:
                drop(again, name)


def check_room_to_copy(target: Target, database: str) -> None:
    """Make sure that the disk can hold the database a second time.

    Raises:
        LoadError: it cannot, as far as the target tells.
    """
    with target.connect() as control:
        (size,) = control.execute("SELECT pg_database_size(%s)", [database]).fetchone() or (0,)
    check_room(target, size, f"a copy of {database}, on which each trial runs,")


def _make(control: Connection, database: str, name: str, version: int) -> None:
    try:
        control.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        drop_ours(control, SUFFIX)
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
