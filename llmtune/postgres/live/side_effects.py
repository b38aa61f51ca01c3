"""What a restart would do besides what we want it for: others' changes come into force too."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg

from llmtune.errors import TargetError
from llmtune.postgres.target import Connection

CALLED_PENDING = """
    SELECT name FROM pg_settings
    WHERE pending_restart AND name <> ALL(%s)
      AND source IN ('default', 'environment variable', 'configuration file')
    ORDER BY name
"""
"""A session that has looked at the files calls what outranks them pending too, which no restart
changes."""

PENDING = """
    SELECT name FROM pg_settings
    WHERE pending_restart AND name <> ALL(%s)
      AND source IN ('default', 'environment variable', 'configuration file')
      AND (source <> 'default' OR name IN (SELECT lower(name) FROM pg_file_settings))
    ORDER BY name
"""
"""The same without what was set and taken back: that is called pending until the next restart."""

FATAL_LINES = """
    SELECT line.sourcefile, line.sourceline, line.error
    FROM pg_file_settings AS line LEFT JOIN pg_settings AS known ON known.name = lower(line.name)
    WHERE line.error IS NOT NULL AND line.sourcefile IS NOT NULL
      AND (known.name IS NULL OR known.context NOT IN ('postmaster', 'internal'))
    ORDER BY line.seqno
"""
"""Lines that keep a server from starting. Of a setting that takes a restart each new value is
called an error, so those tell nothing; nor do rows without a place, of lines that are gone."""


def waiting_for_restart(connection: Connection, without: Iterable[str] = ()) -> list[str]:
    """The settings of which another value comes into force with a restart.

    Also those that are not loaded yet, where this role may read the files. To be asked after
    whatever asks what is pending: it tries the files, as a reload does.
    """
    names = list(without)
    try:
        rows = connection.execute(PENDING, [names]).fetchall()
    except psycopg.errors.InsufficientPrivilege:
        rows = connection.execute(CALLED_PENDING, [names]).fetchall()
    return [name for (name,) in rows]


def refuse_side_effects(connection: Connection, ours: Iterable[str]) -> None:
    """Make sure that a restart loads nothing but our own settings, and that the files let it.

    Raises:
        TargetError: it would load others, or the server would not start again.
    """
    waiting = waiting_for_restart(connection, ours)
    if waiting:
        raise TargetError(
            "the server is not restarted, as that would put in force what somebody else has "
            f"changed ({', '.join(waiting)}); restart it yourself, or take that back"
        )
    try:
        row = connection.execute(FATAL_LINES).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return
    if row is not None:
        file, line, error = row
        raise TargetError(
            f"the server is not restarted, as it would not start again: {file}, line {line}: "
            f"{error}; mend that first"
        )
