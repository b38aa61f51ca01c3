"""Restarting a server that others own, and bringing it back on its owner's settings."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import psycopg

from llmtune.errors import (
    ConnectionFailed,
    LoginRefused,
    ServerDidNotStart,
    ServerNotReady,
    TargetError,
)
from llmtune.postgres.live.auto_conf_file import AutoConfFile, FolderFile
from llmtune.postgres.live.entries import OwnersEntries
from llmtune.postgres.live.restarter import Restarter
from llmtune.postgres.live.side_effects import refuse_side_effects
from llmtune.postgres.live.waiting import (
    Connect,
    Notice,
    Patience,
    Wait,
    await_start,
    connect_patiently,
    silent,
    start_of,
)
from llmtune.postgres.originals import read_entries
from llmtune.postgres.session import loss_is_failure
from llmtune.postgres.target import Connection
from llmtune.postgres.tuner_lock import TunerLock


class ServerControl:
    """Restarts one server, and takes out of it what is ours, by whatever way is open.

    Attributes:
        lock: keeps other tuners away, and is taken again as soon as it is lost.
        tell: told in words while the server is waited for.
        restart_seconds: see `Target.restart_seconds`.
    """

    def __init__(self, connect: Connect, restarter: Restarter | None, patience: Patience) -> None:
        """Nothing is connected yet.

        Args:
            connect: opens a connection to the server.
            restarter: how it may be restarted; None: not at all.
        """
        self.lock: TunerLock | None = None
        self.tell: Notice = silent
        self._connect = connect
        self._restarter = restarter
        self._patience = self._left = patience
        self._entries: OwnersEntries | None = None
        self._ours: dict[str, Sequence[str | None]] = {}
        self._last: dict[str, str | None] = {}
        self._started = 0.0
        self._down = False
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
        with self.kept() as connection, loss_is_failure():
            self._entries = OwnersEntries.read(connection, names)
        self._ours, self._last = {}, {}

    def note_entries(self, ours: Mapping[str, Sequence[str | None]]) -> None:
        """See `NotesEntries.note_entries`."""
        self._ours |= ours
        self._last |= {name: texts[-1] for name, texts in ours.items()}

    @contextmanager
    def kept(self) -> Iterator[Connection]:
        """See `Exclusive.kept`; without a lock, a new connection."""
        if self.lock is not None:
            yield self.lock.hold()
            return
        with self._connect() as connection:
            yield connection

    def hold(self) -> None:
        """See `Exclusive.hold`; without a lock there is nothing to do."""
        if self.lock is not None:
            self.lock.hold()

    def let_go(self) -> None:
        """Let other tuners work on the server."""
        if self.lock is not None:
            self.lock.let_go()

    def restart(self, restarter: Restarter) -> None:
        """Restart the server and wait until it answers.

        Raises:
            ServerDidNotStart: it does not come up.
            ServerNotReady: it comes up, but takes longer than it is waited for.
            TargetError: another tuner came in between, the server cannot write what it has to
                before it ends, or the restart would do more than what it is for.
        """
        self._look_once_more()
        begin = time.monotonic()
        try:
            restarter.restart()
            wait = Wait(self._patience.start_s, self._left.not_ready_s, self.tell)
            self._started = await_start(self._connect, self._started, restarter, wait)
        except ServerDidNotStart:
            self._down = True
            raise
        except ServerNotReady:
            self._left = replace(self._left, not_ready_s=0.0)
            raise
        finally:
            self.restart_seconds += time.monotonic() - begin
        self._came_up()
        self._hold_again()

    def recover(self, folder: Path | None) -> None:
        """Bring the server up, if it is down, and put the owner's settings back.

        Args:
            folder: its data folder, where that is in reach.

        Raises:
            As `DsnTarget.recover`.
        """
        held = None if self.lock is None else self.lock.held()
        if held is not None:
            with suppress(ConnectionFailed):  # then it is brought up first
                self._put_back(held)
        with self._reconnect(folder) as connection:
            self._hold_again()
            waiting = self._put_back(connection)
        if waiting and self._restarter is not None:
            self.restart(self._restarter)

    def _put_back(self, connection: Connection) -> tuple[str, ...]:
        """Take out what is ours; the knobs that have their value back after a restart."""
        if self._entries is None:
            return ()
        with loss_is_failure():
            waiting = self._entries.put_back(connection, self._ours)
            self._note_last(connection)
        return waiting

    def _reconnect(self, folder: Path | None) -> AbstractContextManager[Connection]:
        """A connection to the server, which is brought up for it if that takes undoing.

        Where the lock is lost, it is the one that takes the lock again and keeps it: others
        may leave no place for a second one.
        """
        if self.lock is None or self.lock.held() is not None:
            return self._answer(self._connect, folder)
        return nullcontext(self._answer(self.lock.hold, folder))

    def _answer(self, connect: Connect, folder: Path | None) -> Connection:
        """What `connect` gives as soon as the server answers; if need be it is brought up."""
        try:
            connection = self._await(connect)
        except (LoginRefused, ServerNotReady):
            raise  # it runs, and others may work on it; or it would have to begin anew
        except ConnectionFailed:
            if self._restarter is None or self._entries is None:
                raise
            self._down = True
            file = _settings_file(self._restarter, folder)
            self._entries.undo_outside(file, self._last, self._ours)
            self.restart(self._restarter)
            connection = connect()
        self._came_up()
        return connection

    def _came_up(self) -> None:
        self._down, self._left = False, self._patience

    def _hold_again(self) -> None:
        """Before anybody else does; where there is no place for the connection, wait for one."""
        if self.lock is not None:
            self._await(self.lock.hold)

    def _await(self, connect: Connect) -> Connection:
        """The first connection; what was waited for in vain is not waited for again."""
        left = self._left
        recovery_s = 0.0 if self._down else left.recovery_s
        # Where a session of ours lives on, the server does not start: it waits for our end.
        shuts_down = self.lock is not None and self.lock.held() is not None
        not_ready_s = min(recovery_s, left.not_ready_s) if shuts_down else left.not_ready_s
        try:
            return connect_patiently(connect, recovery_s, not_ready_s, self.tell)
        except ServerNotReady:
            self._left = replace(left, not_ready_s=0.0)
            raise
        except ConnectionFailed:
            self._left = replace(left, recovery_s=0.0)
            raise

    def _look_once_more(self) -> None:
        """While it still answers: since when it runs, and what it may refuse to start with."""
        if self._entries is None or self._down:
            return
        with self.kept() as connection, loss_is_failure():
            self._started = start_of(connection)
            self._note_last(connection)
            refuse_side_effects(connection, self._ours)
            _write_out(connection)

    def _note_last(self, connection: Connection) -> None:
        """The entries of our knobs now: what is named where the file is out of reach."""
        found = read_entries(connection, self._ours)
        self._last = {name: found.get(name) for name in self._ours}


def _settings_file(restarter: Restarter, folder: Path | None) -> AutoConfFile | None:
    """ALTER SYSTEM's file, where it is in reach of us while the server is down."""
    return restarter.settings_file or (None if folder is None else FolderFile(folder))


def _write_out(connection: Connection) -> None:
    """Let the server write while it serves what its shutdown would, while nobody is served.

    Raises:
        TargetError: it cannot, and might not shut down either, nor start again.
    """
    try:
        with suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute("CHECKPOINT")
    except psycopg.InternalError as error:
        reason = error.diag.message_primary
        raise TargetError(
            f"the server cannot write a checkpoint, so it is not restarted: {reason}; "
            "its log tells why"
        ) from error
