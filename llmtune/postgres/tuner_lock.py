"""One tuner at a time on one server."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from typing import NamedTuple, Self

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
WHO = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
END = """
    SELECT pg_terminate_backend(pid, 5000)
    FROM pg_stat_activity AS who JOIN pg_locks AS held USING (pid)
    WHERE (pid, who.backend_start) = (%s, %s) AND held.locktype = 'advisory' AND held.granted
      AND (held.classid, held.objid, held.objsubid) = (%s, %s, 2)
"""
"""One without the lock is not ours any more: a pooler may have lent it to somebody else."""
NOTICE_DEATH = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10"}
"""So that the server lets go of the lock of a machine that is gone, within minutes."""
END_PATIENCE_S = 2.0
"""How long the server may take to end the process of a tuner that was just killed."""


class TunerLock:
    """An advisory lock on the whole server, held by a connection of its own.

    The server gives it free when that connection ends, however it ends. Such locks
    belong to one database, so those of the others are looked at too.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection: Connection | None = None
        self._process: tuple[object, ...] | None = None

    def __enter__(self) -> Self:
        self.hold()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()

    def hold(self) -> Connection:
        """Take the lock, or take it again after it was lost; the connection that has it.

        Raises:
            TargetError: another tuner has it.
            ConnectionFailed: the server does not answer.
        """
        held = self.held()
        if held is not None:
            return held
        self.let_go()
        with loss_is_failure(), ExitStack() as opened:
            connection = opened.enter_context(self._target.connect(settings=NOTICE_DEATH))
            self._take(connection)
            opened.pop_all()
        self._connection = connection
        return connection

    def held(self) -> Connection | None:
        """The connection that has the lock, if it still answers."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.execute("SELECT 1")
                return self._connection
        return None

    def _take(self, connection: Connection) -> None:
        if self._process is not None:
            # Of a connection that was lost, the server may hear only after minutes.
            connection.execute(END, [*self._process, CLASS, NUMBER])
        deadline = time.monotonic() + END_PATIENCE_S
        while not (attempt := _attempt(connection)).alone:
            if time.monotonic() > deadline:
                raise TargetError(_refusal(self._target.name, attempt.others))
            time.sleep(0.05)
        self._process = connection.execute(WHO).fetchone()

    def let_go(self) -> None:
        """Give the lock free, if we have it."""
        if self._connection is not None:
            # Closing alone returns before the server has let go of the lock.
            with suppress(psycopg.Error), self._connection:
                self._connection.execute(FREE, [CLASS, NUMBER])
            self._connection = None


class _Attempt(NamedTuple):
    alone: bool
    others: list[tuple[object, ...]]


def _attempt(connection: Connection) -> _Attempt:
    """Take the lock, unless another tuner has it, in any database."""
    taken = connection.execute(TAKE, [CLASS, NUMBER]).fetchone() == (True,)
    others = connection.execute(HOLDERS, [CLASS, NUMBER]).fetchall()
    if others and taken:
        connection.execute(FREE, [CLASS, NUMBER])
    return _Attempt(taken and not others, others)


def _refusal(name: str, others: list[tuple[object, ...]]) -> str:
    who = "; ".join(f"server process {pid}, from {host}" for pid, host, _ in others)
    return (
        f"another llmtune works on {name}{f' ({who})' if who else ''}; wait for its end. If that "
        "process is none of a running llmtune, end it with SELECT pg_terminate_backend(its number)"
    )
