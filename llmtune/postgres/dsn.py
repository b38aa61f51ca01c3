"""A running server reached through its address, which others own."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

from llmtune.errors import (
    ConnectionFailed,
    LoginRefused,
    ServerDidNotStart,
    TargetError,
    UsageError,
)
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.live.address import parse_address
from llmtune.postgres.live.auto_conf_file import FolderFile
from llmtune.postgres.live.entries import OwnersEntries
from llmtune.postgres.live.login import Login
from llmtune.postgres.live.machine import (
    Stated,
    StatedHardware,
    data_folder,
    process_here,
    seen_hardware,
)
from llmtune.postgres.live.pooler import refuse_pooler
from llmtune.postgres.live.preflight import read_report
from llmtune.postgres.live.report import ServerReport
from llmtune.postgres.live.restarter import Restarter
from llmtune.postgres.live.waiting import await_start, connect_patiently, start_of
from llmtune.postgres.originals import read_entries
from llmtune.postgres.session import loss_is_failure
from llmtune.postgres.target import Connection, ExplainsLoss, check_version

RECOVERY_PATIENCE_S = START_PATIENCE_S = 60.0


class DsnTarget:
    """A server behind a libpq address; restarted only by the way that its owner gave.

    On entering, everything is found out that decides what can be changed, and
    ALTER SYSTEM's entries are noted. Leaving and `recover` put those back that we
    changed, and leave alone what others did meanwhile.
    """

    def __init__(
        self,
        dsn: str,
        hardware: StatedHardware = Stated(),  # noqa: B008  it is immutable
        restarter: Restarter | None = None,
        *,
        start_patience_s: float = START_PATIENCE_S,
        recovery_patience_s: float = RECOVERY_PATIENCE_S,
        everyone: bool = False,
    ) -> None:
        """Read the address; nothing is connected yet.

        Args:
            dsn: `postgresql://user@host/database`, `host=... dbname=...`, or
                `service=...`; the PG* variables and pgpass give what it leaves open.
            hardware: what the server may use, as far as the user says it.
            restarter: how it may be restarted; None: not at all.
            start_patience_s: how long it may take to answer after a restart.
            recovery_patience_s: how long one that went away is waited for.
            everyone: knobs are changed for all sessions, not for our own alone.

        Raises:
            UsageError: the address cannot be read.
        """
        self._address = parse_address(dsn)
        self._login = Login(self._address)
        self._stated = hardware
        self._restarter = restarter
        self._start_patience_s = start_patience_s
        self._recovery_patience_s = recovery_patience_s
        self._everyone = everyone
        self._report: ServerReport | None = None
        self._entries: OwnersEntries | None = None
        self._ours: dict[str, Collection[str | None]] = {}
        self._last: dict[str, str] = {}
        self._folder: Path | None = None
        self._started = 0.0
        self._down = False
        self._gone = False
        self._restart_seconds = 0.0

    @property
    def name(self) -> str:
        """The address without its password; resolved once it was connected to."""
        return self._address.name if self._report is None else self._report.name

    @property
    def report(self) -> ServerReport:
        """What was found out on entering."""
        if self._report is None:
            raise TargetError(f"not connected to {self.name}: use the target in `with`")
        return self._report

    @property
    def version(self) -> int:
        """The server's major version."""
        return self.report.version

    @property
    def hardware(self) -> Hardware:
        """As stated, or as seen where the server runs on this machine."""
        if self.report.hardware is None:
            raise UsageError(f"cannot tune {self.name}: {self.report.problems[0]}")
        return self.report.hardware

    @property
    def can_restart(self) -> bool:
        """Whether its owner gave a way."""
        return self._restarter is not None

    @property
    def restart_seconds(self) -> float:
        """See `Target.restart_seconds`."""
        return self._restart_seconds

    @property
    def data_folder(self) -> Path | None:
        """The server's, where it is on this machine and may be looked into."""
        return self._folder

    def __enter__(self) -> Self:
        """Connect, find out what is possible, and note the entries to put back.

        Raises:
            ConnectionFailed: nothing answers or the login is refused.
            UnsupportedServer: its version is not covered.
            UsageError: what it may use is not known, or the restarter is another server's.
            TargetError: a connection pooler is in between.
        """
        self.settle()
        _ = self.hardware
        self.check_restarter()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not (self._ours or self._down):
            return
        try:
            self.recover()
        except TargetError as failure:
            if error is None:
                raise
            error.add_note(f"The original settings could not be put back: {failure}")

    def inspect(self) -> ServerReport:
        """Connect and find out what is possible; nothing is noted and nothing changed.

        Raises:
            As `__enter__`, but hardware that is not known is only reported.
        """
        with self.connect() as connection, loss_is_failure():
            check_version(connection.info.server_version // 10000)
            name = self._login.pin(connection)
            refuse_pooler(connection, self.connect, name)
            process = process_here(connection)
            self._folder = data_folder(connection, process)
            hardware = seen_hardware(process, self._stated)
            way = None if self._restarter is None else self._restarter.description
            self._report = read_report(
                connection, name, hardware, process, way, everyone=self._everyone
            )
        self._started = self._report.started
        return self._report

    def check_restarter(self) -> None:
        """Refuse a way to restart that evidently leads to another server.

        Raises:
            UsageError: it does.
            TargetError: it cannot be looked into.
        """
        if self._restarter is not None:
            self._restarter.check(self.report.started, self.report.system)

    def tunable(self, space: KnobSpace) -> KnobSpace:
        """The part of `space` that can be changed here; its baseline is the present values.

        Raises:
            TargetError: there is none.
        """
        reachable = set(self.report.reachable)
        names = [name for name in space.names if name in reachable]
        if not names:
            raise TargetError(
                f"the role {self.report.rights.role} can change none of the knobs on {self.name}; "
                "`llmtune doctor` tells what is in the way of each"
            )
        here = space.subset(names).running(self.report.present)
        return here.for_everyone() if self._everyone else here

    def settle(self) -> None:
        """Take the settings as they are now for the owner's: leaving keeps them.

        For whoever changed them to stay: an answer that is applied for good, or
        settings that were put back after another run. The report is made anew.
        """
        self.inspect()
        with self.connect() as connection, loss_is_failure():
            self._entries = OwnersEntries.read(connection, self.report.reachable)
        self._ours = {}

    def note_entries(self, ours: Mapping[str, Collection[str | None]]) -> None:
        """See `NotesEntries.note_entries`."""
        self._ours |= ours

    def connect(
        self, database: str | None = None, settings: Mapping[str, str] | None = None
    ) -> Connection:
        """See `Target.connect`; the default database is the address's own."""
        return self._login.connect(database, settings)

    def libpq_environment(self, database: str) -> dict[str, str]:
        """See `Target.libpq_environment`."""
        return self._login.libpq_environment(database)

    def restart(self) -> None:
        """See `Target.restart`.

        Raises:
            TargetError: there is no way to.
        """
        if self._restarter is None:
            raise TargetError(
                f"{self.name} cannot be restarted by LLMTune: give --allow-restart "
                "and a way, such as --restart-unit"
            )
        self._look_once_more()
        begin = time.monotonic()
        try:
            self._restarter.restart()
            self._started = await_start(
                self.connect, self._started, self._restarter, self._start_patience_s
            )
        except ServerDidNotStart:
            self._down = True
            raise
        finally:
            self._restart_seconds += time.monotonic() - begin

    def recover(self) -> None:
        """See `Target.recover`; without a way to restart, a server that is down is waited for.

        Raises:
            ConnectionFailed: it does not come back within a minute, or does not let us
                in; the next call does not wait for it again.
            ServerDidNotStart: it does not start, and its files are out of reach; the
                message has the lines to take out of them.
            TargetError: it refuses to have its settings put back.
        """
        with self._reconnect() as connection, loss_is_failure():
            if self._entries is None:
                return
            waiting = self._entries.put_back(connection, self._ours)
        if waiting and self._restarter is not None:
            self.restart()

    def explain_loss(self) -> str:
        """See `ExplainsLoss`: where the way to restart leads to somebody who can tell."""
        return self._restarter.explain_loss() if isinstance(self._restarter, ExplainsLoss) else ""

    def _reconnect(self) -> Connection:
        """A connection to the server, which is brought up for it if that takes undoing."""
        patience_s = 0.0 if self._down or self._gone else self._recovery_patience_s
        try:
            connection = connect_patiently(self.connect, patience_s)
        except LoginRefused:
            self._gone = True
            raise  # it runs, and others may work on it
        except ConnectionFailed:
            self._gone = True
            if self._restarter is None or self._entries is None:
                raise
            folder = self.data_folder
            file = self._restarter.settings_file or (FolderFile(folder) if folder else None)
            self._entries.undo_outside(file, self._last, self._ours)
            self.restart()
            self._down = False
            connection = self.connect()
        self._gone = False
        return connection

    def _look_once_more(self) -> None:
        """While it still answers: since when it runs, and what it may refuse to start with."""
        if self._entries is None or self._down:
            return
        with self.connect() as connection, loss_is_failure():
            self._started = start_of(connection)
            self._last = read_entries(connection, self._ours)
