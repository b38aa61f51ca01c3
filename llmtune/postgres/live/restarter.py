"""Ways to restart a server that is not ours."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from llmtune.errors import ServerDidNotStart, UsageError
from llmtune.postgres.account import Account
from llmtune.postgres.live.auto_conf_file import AutoConfFile
from llmtune.postgres.server_log import fatal_reason

COMMAND_PATIENCE_S = 3600.0
"""A shutdown writes all of the shared buffers, and a start may have WAL to replay: a command
that is ended in the middle leaves the server down, or lets it begin anew."""

TAIL_LINES = 20


class Restarter(Protocol):
    """One way to restart one server."""

    @property
    def description(self) -> str:
        """For reports, such as `systemctl restart postgresql`."""
        ...

    @property
    def settings_file(self) -> AutoConfFile | None:
        """ALTER SYSTEM's file, where this way of restarting leads to it."""
        ...

    def check(self, started: float, system: str) -> None:
        """Refuse to restart what is evidently another server than the one that we tune.

        Args:
            started: when ours started, seconds since 1970.
            system: our cluster's system identifier; empty where it was not told.

        Raises:
            UsageError: it is another one, or there is none.
        """
        ...

    def restart(self) -> None:
        """Restart the server, or start it when it is down.

        Whoever calls it waits until the server answers.

        Raises:
            ServerDidNotStart: it failed; what it and the server's log said is attached.
        """
        ...

    def failed(self) -> str:
        """Why the server that was restarted will not answer any more; empty while it may."""
        ...

    def log_tail(self) -> str:
        """The last lines of the server's log, where they can be had."""
        ...


class CommandRestarter:
    """Restarts by a command on this machine, run without a shell."""

    def __init__(
        self,
        command: Sequence[str],
        log_command: Sequence[str] = (),
        patience_s: float = COMMAND_PATIENCE_S,
        *,
        first: Sequence[str] = (),
    ) -> None:
        """Take the command's words.

        Args:
            first: run before it, whether that succeeds or not; empty: nothing.
            log_command: prints the end of the server's log; empty: there is none.
            patience_s: the command is ended after this long.

        Raises:
            UsageError: there is no word.
        """
        if not command:
            raise UsageError("the restart command is empty")
        self._command = tuple(command)
        self._log_command = tuple(log_command)
        self._first = tuple(first)
        self._patience_s = patience_s

    @property
    def description(self) -> str:
        """The command."""
        return shlex.join(self._command)

    @property
    def settings_file(self) -> None:
        """Not known."""
        return

    def check(self, started: float, system: str) -> None:
        """Take it on trust: a command does not tell what it restarts."""

    def restart(self) -> None:
        """See `Restarter.restart`."""
        if self._first:
            run_command(self._first, self._patience_s)
        code, said = run_command(self._command, self._patience_s)
        if code != 0:
            raise failed_restart(self.description, code, f"{said}\n{self.log_tail()}".strip())

    def failed(self) -> str:
        """See `Restarter.failed`: a restart that failed has said so by its exit code."""
        return ""

    def log_tail(self) -> str:
        """See `Restarter.log_tail`."""
        return run_command(self._log_command, 10.0)[1] if self._log_command else ""


def parse_command(text: str) -> CommandRestarter:
    """A restarter from a command line: `ssh db1 sudo systemctl restart postgresql`.

    Raises:
        UsageError: its quotes are not closed, or it is empty.
    """
    try:
        return CommandRestarter(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"the restart command cannot be read: {error}") from error


def unit_restarter(unit: str) -> CommandRestarter:
    """A restarter of a systemd unit of this machine.

    Short trials restart oftener than the unit's start limit allows, by default five times in
    ten seconds (systemd.unit(5)), and then it would stay down; `reset-failed` counts anew.

    Raises:
        UsageError: that is no unit's name.
    """
    if not unit or unit.startswith("-") or any(letter.isspace() for letter in unit):
        raise UsageError(f"{unit!r} is no name of a systemd unit")
    journal = ["journalctl", "--unit", unit, f"--lines={TAIL_LINES}", "--no-pager", "--output=cat"]
    afresh = ["systemctl", "reset-failed", unit]
    return CommandRestarter(["systemctl", "restart", unit], journal, first=afresh)


class FakeRestarter:
    """For tests: calls a function in place of restarting."""

    description = "fake"

    def __init__(
        self, action: Callable[[], None], settings_file: AutoConfFile | None = None
    ) -> None:
        """Take what stands for the restart; it may raise ServerDidNotStart."""
        self.settings_file = settings_file
        self.restarts = 0
        self._action = action

    def check(self, started: float, system: str) -> None:
        """Any server will do."""

    def restart(self) -> None:
        """See `Restarter.restart`."""
        self.restarts += 1
        self._action()

    def failed(self) -> str:
        """It may always answer yet."""
        return ""

    def log_tail(self) -> str:
        """A line that a test can look for."""
        return "the fake's log"


def run_command(
    command: Sequence[str],
    patience_s: float,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a command without a shell; its exit code, and the end of what it said.

    What it says goes to a file: a server that it starts keeps its output open, and
    a pipe would be waited for as long as that server runs. Whoever is interrupted
    meanwhile leaves the command to its end: half a restart is a server that is down.

    Args:
        environment: its variables; None: ours, without those that are about our own logins.
    """
    with tempfile.TemporaryFile() as said:
        try:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=_environment() if environment is None else environment,
                cwd="/",
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=os.getgrouplist(account.name, account.gid) if account else None,
            )
        except OSError as error:
            return 127, f"{command[0]}: {error.strerror}"
        try:
            code = child.wait(patience_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            return 124, f"it did not end within {patience_s:g} s"
        said.seek(0)
        return code, tail(said.read())


def _environment() -> dict[str, str]:
    """Ours without the `PG*` of libpq, but for the data folder, which `pg_ctl` needs.

    Passwords are none of a command's business, and a server that it starts would take
    PGPORT, PGCLIENTENCODING and others for its own.
    """
    return {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("PG") or name.startswith("PG_") or name == "PGDATA"
    }


def failed_restart(description: str, code: int, said: str) -> ServerDidNotStart:
    """The error of a restart that failed, led by the server's own reason where it gave one."""
    reason = fatal_reason(said) or f"`{description}` ended with code {code}"
    return ServerDidNotStart(f"the server did not restart: {reason}", said)


def tail(content: bytes) -> str:
    """The last lines of a log."""
    return "\n".join(content.decode(errors="replace").strip().splitlines()[-TAIL_LINES:])
