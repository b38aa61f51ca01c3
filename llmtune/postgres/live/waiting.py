"""Waiting for a server that others start."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from llmtune.errors import ConnectionFailed, ServerDidNotStart, ServerNotReady
from llmtune.postgres.live.restarter import Restarter
from llmtune.postgres.target import Connection

Connect = Callable[[], Connection]
Notice = Callable[[str], None]
"""Is told in words that a wait goes on."""

NOT_READY_PATIENCE_S = 4 * 3600.0
"""A server that replays the WAL of hours is no nearer to its end when it is restarted."""

ENDING_PATIENCE_S = 10.0
"""How long the old server may take to end after a restart's command has."""

FIRST_WORD_S = 2.0
"""A wait for a server that is not ready is told after this long, and each time it doubled."""

STARTED = "SELECT extract(epoch FROM pg_postmaster_start_time())::float8"


def silent(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds a live server is waited for.

    Attributes:
        start_s: for an answer after a restart.
        recovery_s: for one that went away, or refuses our login.
        not_ready_s: for one that answers that it starts, replays its WAL or shuts down.
    """

    start_s: float = 60.0
    recovery_s: float = 60.0
    not_ready_s: float = NOT_READY_PATIENCE_S


class Wait:
    """One wait for a server, with a clock for each thing that it may answer."""

    def __init__(
        self,
        absent_s: float,
        not_ready_s: float = NOT_READY_PATIENCE_S,
        tell: Notice = silent,
    ) -> None:
        """Begin to wait.

        Args:
            absent_s: for how long nothing may answer, or the login be refused.
            not_ready_s: for how long the server may say that it is not ready.
            tell: told while it does, now and then.
        """
        self.absent_s = absent_s
        self._not_ready_s = not_ready_s
        self._tell = tell
        self._next_word_s = FIRST_WORD_S
        self._begin = self._last = time.monotonic()

    @property
    def waited_s(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._begin

    def over(self, failure: Exception) -> bool:
        """Count the time since the last failure by what this one is; whether it was too much."""
        now = time.monotonic()
        spent, self._last = now - self._last, now
        if not isinstance(failure, ServerNotReady):
            self.absent_s -= spent
            return self.absent_s <= 0
        self._not_ready_s -= spent
        if self.waited_s >= self._next_word_s:
            self._next_word_s *= 2
            self._tell(f"{failure}; waiting until it is ready, {self.waited_s:.0f} s so far")
        return self._not_ready_s <= 0

    def pause(self) -> None:
        """Let time pass before the next try: little beside the wait so far."""
        time.sleep(min(max(self.waited_s / 20, 0.02), 0.5))


def connect_patiently(
    connect: Connect,
    patience_s: float,
    not_ready_s: float = NOT_READY_PATIENCE_S,
    tell: Notice = silent,
) -> Connection:
    """The first connection that succeeds.

    Args:
        patience_s, not_ready_s, tell: see `Wait`.

    Raises:
        ConnectionFailed: none did within the time; it was tried once at least.
    """
    wait = Wait(patience_s, not_ready_s, tell)
    while True:
        try:
            return connect()
        except ConnectionFailed as failure:
            if wait.over(failure):
                raise
        wait.pause()


def await_start(connect: Connect, before: float, restarter: Restarter, wait: Wait) -> float:
    """Wait until a server answers that started at another time than `before`; when it did.

    A command may end before the old server has, or without having restarted anything:
    one that runs on as before is waited for only so long.

    Raises:
        ServerDidNotStart: none did within the time; the log's tail is attached.
        ServerNotReady: it does start, but takes longer than anybody waits.
    """
    runs_on_s = min(ENDING_PATIENCE_S, wait.absent_s)
    while True:
        try:
            with connect() as connection:
                started = start_of(connection)
        except (ConnectionFailed, psycopg.OperationalError) as failure:
            _give_up(restarter, wait, failure)
        else:
            if started != before:
                return started
            if wait.waited_s > runs_on_s:
                raise _too_late(restarter, wait, "the server runs on as before")
        wait.pause()


def _give_up(restarter: Restarter, wait: Wait, failure: Exception) -> None:
    """Raise where waiting on is of no use."""
    ended = restarter.failed()
    if ended:
        raise _not_started(restarter, ended) from failure
    if wait.over(failure):
        if isinstance(failure, ServerNotReady):
            raise failure
        raise _too_late(restarter, wait, str(failure)) from failure


def _too_late(restarter: Restarter, wait: Wait, trouble: str) -> ServerDidNotStart:
    return _not_started(restarter, f"{wait.waited_s:.0f} s later: {trouble}")


def _not_started(restarter: Restarter, trouble: str) -> ServerDidNotStart:
    message = f"`{restarter.description}` ended well, but the server did not come up: {trouble}"
    return ServerDidNotStart(message, restarter.log_tail())


def start_of(connection: Connection) -> float:
    """When the server started, seconds since 1970; recovery from a crash is no start."""
    row = connection.execute(STARTED).fetchone()
    return float(row[0]) if row else 0.0
