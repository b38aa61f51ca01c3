"""Restarting with `pg_ctl`: a server whose data folder is on this machine."""

from __future__ import annotations

import os
import pwd
import shlex
from pathlib import Path

from llmtune.errors import UsageError
from llmtune.postgres.account import Account
from llmtune.postgres.auto_conf import system_identifier
from llmtune.postgres.live.auto_conf_file import FolderFile
from llmtune.postgres.live.restarter import COMMAND_PATIENCE_S, failed_restart, run_command, tail

PATIENCE_S = int(COMMAND_PATIENCE_S)
"""For the shutdown, and again for the start; `pg_ctl` ends at once when a start fails."""

TAIL_BYTES = 64 << 10
STARTS_AGREE_S = 5.0
"""How far `postmaster.pid` and the server may differ on when it started."""


class PgCtlRestarter:
    """Restarts the server of one data folder, under the account that owns the folder.

    The server starts with the command line that it had, and the environment, where
    it runs and may be looked into: ours would change what it does. Where its log went
    to a file it goes there again; a journal's or a terminal's is not taken up, which
    is why a server that a service manager runs should be restarted by that.
    """

    def __init__(self, folder: Path) -> None:
        """Find the server's programs from the folder itself.

        Raises:
            UsageError: it is no data folder of a server that was ever started, or not ours.
        """
        self._folder = folder
        try:
            words = shlex.split((folder / "postmaster.opts").read_text())
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise UsageError(
                f"{folder} is not the data folder of a server that ran: "
                f"cannot read postmaster.opts ({reason}); run as its owner or as root"
            ) from error
        self._program = Path(words[0]).with_name("pg_ctl")
        process = _process(folder)
        self._log = _log_file(process)
        self._environment = _environment_of(process)

    @property
    def description(self) -> str:
        """As one would type it."""
        return f"pg_ctl restart -D {self._folder}"

    @property
    def settings_file(self) -> FolderFile:
        """The data folder's own."""
        return FolderFile(self._folder)

    def check(self, started: float, system: str) -> None:
        """See `Restarter.check`: the folder's files must tell of the same cluster and start."""
        lines = _pid_file(self._folder)
        starts_agree = len(lines) > 2 and abs(float(lines[2]) - started) < STARTS_AGREE_S
        if not starts_agree or system not in ("", system_identifier(self._folder)):
            raise UsageError(
                f"the server that is to be tuned does not run in {self._folder}; "
                "give the folder that `SHOW data_directory` names there"
            )

    def restart(self) -> None:
        """See `Restarter.restart`; sessions are ended, transactions rolled back."""
        begin = self._log.stat().st_size if self._log.exists() else 0
        command = [str(self._program), "restart", "-D", str(self._folder), "--mode=fast", "--wait"]
        options = [f"--timeout={PATIENCE_S}", f"--log={self._log}"]
        patience_s = 2 * PATIENCE_S + 10.0
        code, said = run_command(
            [*command, *options], patience_s, _owner(self._folder), self._environment
        )
        if code != 0:
            raise failed_restart(self.description, code, f"{said}\n{self._tail(begin)}".strip())

    def failed(self) -> str:
        """See `Restarter.failed`: a restart that failed has said so by its exit code."""
        return ""

    def log_tail(self) -> str:
        """See `Restarter.log_tail`."""
        return self._tail(0)

    def _tail(self, begin: int) -> str:
        if not self._log.is_file():
            return ""
        with self._log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(begin, end - TAIL_BYTES))
            return tail(file.read())


def _owner(folder: Path) -> Account | None:
    """The folder's owner, if we are root and so have to become it."""
    if os.geteuid() != 0:
        return None
    status = folder.stat()
    return Account(pwd.getpwuid(status.st_uid).pw_name, status.st_uid, status.st_gid)


def _process(folder: Path) -> Path | None:
    """What the kernel tells of the running server; None: it is down, or out of our sight.

    Another process may have its number by now, or one of another container. But a
    server works in its data folder, so that names its process surely.
    """
    try:
        process = Path(f"/proc/{int(_pid_file(folder)[0])}")
        return process if (process / "cwd").samefile(folder) else None
    except (OSError, ValueError, IndexError):
        return None


def _log_file(process: Path | None) -> Path:
    """The file that the server's standard error goes to; the null device if to none."""
    try:
        target = (process / "fd" / "2").resolve(strict=True) if process else Path(os.devnull)
    except OSError:
        return Path(os.devnull)
    return target if target.is_file() else Path(os.devnull)


def _environment_of(process: Path | None) -> dict[str, str] | None:
    """The variables that the server was started with; None: they cannot be seen."""
    try:
        content = b"" if process is None else (process / "environ").read_bytes()
    except OSError:
        return None
    pairs = (os.fsdecode(one).partition("=") for one in content.split(b"\0"))
    return {name: text for name, _, text in pairs if name} or None


def _pid_file(folder: Path) -> list[str]:
    """`postmaster.pid`: number, folder, start in seconds since 1970, port and more, by line."""
    try:
        return (folder / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []
