"""One tuner at a time on one server."""

from __future__ import annotations

from contextlib import suppress
from typing import Self

import psycopg

from llmtune.errors import TargetError
from llmtune.postgres.session import loss_is_failure
from llmtune.postgres.target import Connection, Target

CLASS, NUMBER = 0x4C4C4D54, 0x756E65
"""The advisory lock's key: `LLMT`, `une`."""

TAKE = "SELECT pg_try_advisory_lock(%s, %s)"
FREE = "SELECT pg_advisory_unlock(%s, %s)"
HOLDERS = """
    SELECT held.pid, coalesce(host(who.client_addr), 'this machine'), base.datname
    FROM pg_locks AS held
    LEFT JOIN pg_stat_activity AS who USING (pid)
    LEFT JOIN pg_database AS base ON base.oid = held.database
    WHERE held.locktype = 'advisory' AND held.granted AND held.pid <> pg_backend_pid()
      AND (held.classid, held.objid, held.objsubid) = (%s, %s, 2)
"""
NOTICE_DEATH = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10"}
"""So that the server lets go of the lock of a machine that is gone, within minutes."""


class TunerLock:
    """An advisory lock on the whole server, held by a connection of its own.

    The server gives it free when that connection ends, however it ends. Such locks
    belong to one database, so those of the others are looked at too.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        self.hold()
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go()

    def hold(self) -> None:
        """Take the lock, or take it again after the server restarted.

        Raises:
            TargetError: another tuner has it.
            ConnectionFailed: the server does not answer.
        """
        if self._connection is not None and self._alive(self._connection):
            return
        self._let_go()
        with loss_is_failure():
            self._connection = self._target.connect(settings=NOTICE_DEATH)
            taken = self._connection.execute(TAKE, [CLASS, NUMBER]).fetchone() == (True,)
            others = self._connection.execute(HOLDERS, [CLASS, NUMBER]).fetchall()
        if others or not taken:
            self._let_go()
            raise TargetError(_refusal(self._target.name, others))

    def _alive(self, connection: Connection) -> bool:
        try:
            connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def _let_go(self) -> None:
        if self._connection is not None:
            # Closing alone returns before the server has let go of the lock.
            with suppress(psycopg.Error), self._connection:
                self._connection.execute(FREE, [CLASS, NUMBER])
            self._connection = None


def _refusal(name: str, others: list[tuple[object, ...]]) -> str:
    who = "; ".join(f"server process {pid}, from {host}" for pid, host, _ in others)
    return (
        f"another llmtune works on {name}{f' ({who})' if who else ''}; wait for its end. If that "
        "process is none of a running llmtune, end it with SELECT pg_terminate_backend(its number)"
    )
