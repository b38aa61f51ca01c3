"""Noticing a connection pooler, behind which session settings are not one's own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import psycopg

from llmtune.errors import TargetError
from llmtune.postgres.target import Connection

PID = "SELECT pg_backend_pid()"


def refuse_pooler(connection: Connection, connect: Callable[[], Connection], name: str) -> None:
    """Make sure that a connection keeps its server process.

    A pooler that hands out server processes for one transaction each gives the
    process of a connection that is at rest to the next one that has work.

    Args:
        connect: opens one more connection.
        name: the target's, for the message.

    Raises:
        TargetError: it does not keep it.
    """
    mine = _pid(connection)
    if mine == connection.info.backend_pid:
        return  # nobody stands between: libpq was told the process's own number
    with closing(connect()) as other, other.transaction():
        if _pid(other) == mine or _pid(connection) != mine:
            raise TargetError(
                f"{name} leads to a connection pooler in transaction mode, which mixes the "
                "session settings of its clients; give the server's own address"
            )


def _pid(connection: Connection) -> int:
    row = connection.execute(PID, prepare=False).fetchone()
    if row is None:
        raise psycopg.InterfaceError(f"{PID} gave no row")
    return int(row[0])
