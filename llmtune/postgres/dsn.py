"""A running server reached through its address, which others own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from llmtune.errors import TargetError, UsageError
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.live.address import parse_address
from llmtune.postgres.live.control import ServerControl
from llmtune.postgres.live.login import Login
from llmtune.postgres.live.machine import (
    Stated,
    StatedHardware,
    data_folder,
    process_here,
    seen_hardware,
)
from llmtune.postgres.live.pooler import refuse_pooler
from llmtune.postgres.live.preflight import Approach, read_report
from llmtune.postgres.live.reach import ChangesFor
from llmtune.postgres.live.report import ServerReport
from llmtune.postgres.live.restarter import Restarter
from llmtune.postgres.live.waiting import Notice, Patience
from llmtune.postgres.session import lift_limits, loss_is_failure
from llmtune.postgres.target import Connection, ExplainsLoss, check_version
from llmtune.postgres.tuner_lock import TunerLock


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
        patience: Patience = Patience(),  # noqa: B008  as this
        changes_for: ChangesFor = ChangesFor.OURS,
    ) -> None:
        """Read the address; nothing is connected yet.

        Args:
            dsn: `postgresql://user@host/database`, `host=... dbname=...`, or
                `service=...`; the PG* variables and pgpass give what it leaves open.
            hardware: what the server may use, as far as the user says it.
            restarter: how it may be restarted; None: not at all.
            patience: how long it is waited for.
            changes_for: whose sessions the changes are to reach; for nobody's, all knobs that
                the server has are in the space.

        Raises:
            UsageError: the address cannot be read.
        """
        self._address = parse_address(dsn)
        self._login = Login(self._address)
        self._stated = hardware
        self._restarter = restarter
        self._control = ServerControl(self.connect, restarter, patience)
        self._changes_for = changes_for
        self._report: ServerReport | None = None
        self._folder: Path | None = None

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
        return self._checked_hardware()

    @property
    def can_restart(self) -> bool:
        """Whether its owner gave a way."""
        return self._restarter is not None

    @property
    def restart_seconds(self) -> float:
        """See `Target.restart_seconds`."""
        return self._control.restart_seconds

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
        self._checked_hardware()
        self.check_restarter()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not self._control.has_work:
            return
        try:
            self.recover()
        except TargetError as failure:
            if error is None:
                raise
            error.add_note(f"The original settings could not be put back: {failure}")
        finally:
            self._control.let_go()

    def inspect(self) -> ServerReport:
        """Connect and find out what is possible; nothing is noted and nothing changed.

        Raises:
            As `__enter__`, but hardware that is not known is only reported.
        """
        with self._login.connect_bare() as connection, loss_is_failure():
            check_version(connection.info.server_version // 10000)
            name = self._login.pin(connection)
            refuse_pooler(connection, self._login.connect_bare, name)
            lift_limits(connection)
            process = process_here(connection)
            self._folder = data_folder(connection, process)
            approach = Approach(
                name,
                hardware=seen_hardware(process, self._stated),
                restarter=None if self._restarter is None else self._restarter.description,
                here=process is not None,
                folder=self._folder,
                changes_for=self._changes_for,
            )
            self._report = read_report(connection, approach)
        self._control.saw_start(self._report.started)
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
        here = space.subset(names).running(self.report.present).within(self.report.ends)
        return here.for_everyone() if self._changes_for is ChangesFor.EVERYONE else here

    def settle(self, *, anew: bool = True) -> None:
        """Take the settings as they are now for the owner's: leaving keeps them.

        For whoever changed them to stay: an answer that is applied for good, or
        settings that were put back.

        Args:
            anew: make the report anew, which takes more connections than the one that is open.
        """
        report = self.inspect() if anew else self.report
        self._control.settle(report.reachable)

    def tell(self, notice: Notice) -> None:
        """Have somebody told, from now on, while the server is waited for."""
        self._control.tell = notice

    def keep(self, lock: TunerLock) -> None:
        """Take this target's lock again after each restart and lost connection, until leaving."""
        self._control.lock = lock

    def hold(self) -> None:
        """See `Exclusive.hold`; without a lock there is nothing to do."""
        self._control.hold()

    def kept(self) -> AbstractContextManager[Connection]:
        """See `Exclusive.kept`; without a lock, a new connection."""
        return self._control.kept()

    def note_entries(self, ours: Mapping[str, Sequence[str | None]]) -> None:
        """See `NotesEntries.note_entries`."""
        self._control.note_entries(ours)

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
            TargetError: there is no way to, or another tuner came in between.
            ServerNotReady: it still starts after hours.
        """
        if self._restarter is None:
            raise TargetError(
                f"{self.name} cannot be restarted by LLMTune: give --allow-restart "
                "and a way, such as --restart-unit"
            )
        self._control.restart(self._restarter)

    def recover(self) -> None:
        """See `Target.recover`; without a way to restart, a server that is down is waited for.

        Raises:
            ConnectionFailed: it does not come back within a minute, or does not let us
                in, or is not ready after hours; the next call does not wait for it again.
            ServerDidNotStart: it does not start, and its files are out of reach; the
                message has the lines to take out of them.
            TargetError: it refuses to have its settings put back, or another tuner works on it.
        """
        self._control.recover(self.data_folder)

    def explain_loss(self) -> str:
        """See `ExplainsLoss`: where the way to restart leads to somebody who can tell."""
        return self._restarter.explain_loss() if isinstance(self._restarter, ExplainsLoss) else ""

    def _checked_hardware(self) -> Hardware:
        """What the server may use.

        Raises:
            UsageError: it is neither stated nor to be seen.
        """
        if self.report.hardware is None:
            raise UsageError(f"cannot tune {self.name}: {self.report.problems[0]}")
        return self.report.hardware
