"""Databases of our own making on a target: looking for them, making room, dropping them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol, runtime_checkable

from psycopg import sql

from llmtune.errors import LoadError
from llmtune.postgres.target import Connection, Target
from llmtune.units import format_memory

PREFIX = "llmtune_"
"""Begins the name of every database that we make."""

PATIENCE = {"statement_timeout": "0", "lock_timeout": "0", "idle_session_timeout": "0"}
"""Settings of a session that may run, or wait for another one's work, for hours."""


@runtime_checkable
class LocalData(Protocol):
    """A target whose data folder lies on this machine, so that its disk can be asked."""

    @property
    def data_folder(self) -> Path | None:
        """Where the server keeps its files; None when that is not known."""
        ...


def exists(control: Connection, database: str) -> bool:
    """Whether the server has a database of this name."""
    found = control.execute("SELECT FROM pg_database WHERE datname = %s", [database])
    return found.rowcount > 0


def drop(control: Connection, database: str) -> None:
    """Drop the database if it exists, whoever is connected to it."""
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    control.execute(statement.format(sql.Identifier(database)))


def drop_ours(control: Connection, suffix: str) -> None:
    """Drop the databases of our own making whose names end in `suffix`."""
    rows = control.execute(
        "SELECT datname FROM pg_database"
        " WHERE starts_with(datname, %s) AND right(datname, %s) = %s",
        [PREFIX, len(suffix), suffix],
    ).fetchall()
    for (name,) in rows:
        drop(control, name)


def check_room(target: Target, size: int, what: str) -> None:
    """Make sure that the server's disk, where it can be asked, has so many bytes free.

    Args:
        what: is to be stored, for the message.

    Raises:
        LoadError: it has fewer.
    """
    folder = target.data_folder if isinstance(target, LocalData) else None
    if folder is None:
        return
    free = shutil.disk_usage(folder).free
    if free < size:
        raise LoadError(
            f"{what} needs {format_memory(size)} of disk space, but {folder} has "
            f"{format_memory(free)} free; choose a smaller scale or free some"
        )
