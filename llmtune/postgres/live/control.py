"""Restarting a server that others own, and bringing it back on its owner's settings."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping

from llmtune.errors import ConnectionFailed, LoginRefused, ServerDidNotStart
from llmtune.postgres.live.auto_conf_file import AutoConfFile
from llmtune.postgres.live.entries import OwnersEntries
from llmtune.postgres.live.restarter import Restarter
from llmtune.postgres.live.waiting import Connect, await_start, connect_patiently, start_of
from llmtune.postgres.originals import read_entries
from llmtune.postgres.session import loss_is_failure
from llmtune.postgres.target import Connection


class ServerControl:
    """Restarts one server, and takes out of it what is ours, by whatever way is open.

    Attributes:
        restart_seconds: see `Target.restart_seconds`.
    """

    def __init__(
        self,
        connect: Connect,
        restarter: Restarter | None,
        start_patience_s: float,
        recovery_patience_s: float,
    ) -> None:
        """Nothing is connected yet.

        Args:
            connect: opens a connection to the server.
            restarter: how it may be restarted; None: not at all.
            start_patience_s: how long it may take to answer after a restart.
            recovery_patience_s: how long one that went away is waited for.
        """
        self._connect = connect
        self._restarter = restarter
        self._start_patience_s = start_patience_s
        self._recovery_patience_s = recovery_patience_s
        self._entries: OwnersEntries | None = None
        self._ours: dict[str, Collection[str | None]] = {}
        self._last: dict[str, str] = {}
        self._started = 0.0
        self._down = False
        self._gone = False
        self.restart_seconds = 0.0

    @property
    def has_work(self) -> bool:
        """Whether something of ours may be on the server, or keeps it down."""
        return bool(self._ours) or self._down

    def saw_start(self, started: float) -> None:
        """Note when the server that answers now started, seconds since 1970."""
        self._started = started

    def settle(self, names: Iterable[str]) -> None:
        """Take the settings of these names as they are now for the owner's.

        Raises:
            ConnectionFailed: the server does not answer.
        """
        with self._connect() as connection, loss_is_failure():
            self._entries = OwnersEntries.read(connection, names)
        self._ours = {}

    def note_entries(self, ours: Mapping[str, Collection[str | None]]) -> None:
        """See `NotesEntries.note_entries`."""
        self._ours |= ours

    def restart(self, restarter: Restarter) -> None:
        """Restart the server and wait until it answers.

        Raises:
            ServerDidNotStart: it does not come up.
        """
        self._look_once_more()
        begin = time.monotonic()
        try:
            restarter.restart()
            self._started = await_start(
                self._connect, self._started, restarter, self._start_patience_s
            )
        except ServerDidNotStart:
            self._down = True
            raise
        finally:
            self.restart_seconds += time.monotonic() - begin

    def recover(self, file: AutoConfFile | None) -> None:
        """Bring the server up, if it is down, and put the owner's settings back.

        Args:
            file: its settings, where they are in reach while it is down.

        Raises:
            As `DsnTarget.recover`.
        """
        with self._reconnect(file) as connection, loss_is_failure():
            if self._entries is None:
                return
            waiting = self._entries.put_back(connection, self._ours)
        if waiting and self._restarter is not None:
            self.restart(self._restarter)

    def _reconnect(self, file: AutoConfFile | None) -> Connection:
        """A connection to the server, which is brought up for it if that takes undoing."""
        patience_s = 0.0 if self._down or self._gone else self._recovery_patience_s
        try:
            connection = connect_patiently(self._connect, patience_s)
        except LoginRefused:
            self._gone = True
            raise  # it runs, and others may work on it
        except ConnectionFailed:
            self._gone = True
            if self._restarter is None or self._entries is None:
                raise
            self._entries.undo_outside(file, self._last, self._ours)
            self.restart(self._restarter)
            self._down = False
            connection = self._connect()
        self._gone = False
        return connection

    def _look_once_more(self) -> None:
        """While it still answers: since when it runs, and what it may refuse to start with."""
        if self._entries is None or self._down:
            return
        with self._connect() as connection, loss_is_failure():
            self._started = start_of(connection)
            self._last = read_entries(connection, self._ours)
