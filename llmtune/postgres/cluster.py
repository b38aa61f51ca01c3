"""One data folder and the server process that runs on it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from llmtune.errors import ConnectionFailed, ServerDidNotStart, TargetError
from llmtune.postgres.account import Account, give, run_as
from llmtune.postgres.binaries import Binaries
from llmtune.postgres.limits import MemoryGroup, running_on
from llmtune.postgres.server_log import fatal_reason
from llmtune.postgres.session import open_session
from llmtune.postgres.target import Connection

SUPERUSER = "postgres"
LOG_TAIL_LINES = 20
JOIN_GROUP = 'echo 0 >&0 && exec "$@"'
"""A shell puts itself into the control group whose member file is its standard
input, then becomes the command: the file was opened with our rights, so that the
server's account needs none, and no memory is charged before the limit holds."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A database cluster in `folder`, reached through a Unix socket alone.

    Whoever may enter the socket's folder may log in: the folder is the server
    account's own, mode 0700, and there is no TCP port and no password.

    Attributes:
        folder: holds `data` and `log`.
        sockets: the folder of the Unix socket; short, for the name of a socket
            has room for some 100 bytes.
        memory_group: the control group to run in, if memory is limited.
        cores: the CPU numbers to run on; None means all.
    """

    binaries: Binaries
    account: Account | None
    folder: Path
    sockets: Path
    memory_group: MemoryGroup | None = None
    cores: frozenset[int] | None = None

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.folder / "log"

    def create(self) -> None:
        """Run initdb where no data folder is yet; it is complete or absent.

        Raises:
            TargetError: initdb failed.
        """
        if self.data.exists():
            return
        self.folder.mkdir(mode=0o700, exist_ok=True)
        give(self.account, self.folder)
        part = self.folder / "data.part"
        shutil.rmtree(part, ignore_errors=True)
        options = ["--encoding=UTF8", "--locale=C", "--auth=trust", "--no-sync"]
        done = run_as(
            self.account,
            [self.binaries.program("initdb"), "-D", str(part), "-U", SUPERUSER, *options],
        )
        if done.returncode != 0:
            raise TargetError(f"cannot create a database cluster: {done.stderr.strip()}")
        part.rename(self.data)

    def configure(self, settings: str) -> None:
        """Make `settings` the whole of postgresql.conf and clear ALTER SYSTEM's file."""
        self._write("postgresql.conf", settings)
        self.clear_system_settings()

    def clear_system_settings(self) -> None:
        """Undo every ALTER SYSTEM; takes effect at the next start."""
        self._write("postgresql.auto.conf", "")

    def has_system_settings(self) -> bool:
        """Whether ALTER SYSTEM's file sets anything."""
        file = self.data / "postgresql.auto.conf"
        lines = file.read_text().splitlines() if file.exists() else []
        return any(line.strip() and not line.startswith("#") for line in lines)

    def start(self, patience_s: int = 60) -> None:
        """Start the server and wait until it accepts connections.

        Raises:
            ServerDidNotStart: it ended, or was not ready after `patience_s` seconds.
        """
        begin = self.log.stat().st_size if self.log.exists() else 0
        kills = self._kills()
        pg_ctl = [self.binaries.program("pg_ctl"), "start", "--wait", f"--timeout={patience_s}"]
        places = ["-D", str(self.data), "-l", str(self.log)]
        with running_on(self.cores):
            done = self._run([*pg_ctl, *places])
        if done.returncode != 0:
            self.stop()
            raise self._failure(begin, kills, done.stderr)

    def stop(self, patience_s: float = 60.0) -> None:
        """Stop the server, if it runs, and whatever of it is left.

        A server that answers ends its sessions and checkpoints. One that does not
        is just ended: asked politely while it restarts after a crash,
        PostgreSQL 18 finishes the restart and then waits for ever.

        Args:
            patience_s: seconds until its processes are killed.
        """
        server = self.postmaster()
        if server is not None:
            server.send_signal(signal.SIGINT if self.answers() else signal.SIGQUIT)
            self._wait_for_end(server, patience_s)
        for process in self._processes():
            process.kill()
            _gone(process, 5.0)
        self._remove_locks()

    def connect(
        self, database: str = "postgres", settings: Mapping[str, str] | None = None
    ) -> Connection:
        """See `Target.connect`."""
        return open_session(settings or {}, self.address(database))

    def address(self, database: str) -> dict[str, str]:
        """libpq's parameters of a connection to `database`."""
        return {
            "host": str(self.sockets),
            "port": "5432",
            "user": SUPERUSER,
            "dbname": database,
            "options": "",  # not what PGOPTIONS says
        }

    def answers(self) -> bool:
        """Whether the server lets us log in."""
        try:
            self.connect().close()
        except ConnectionFailed:
            return False
        return True

    def postmaster(self) -> psutil.Process | None:
        """The server process of this very data folder, if it runs."""
        try:
            first = (self.data / "postmaster.pid").read_text().splitlines()[0]
            process = psutil.Process(int(first))
        except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
            return None
        return process if self._is_ours(process) else None

    def log_tail(self, begin: int = 0) -> str:
        """The last lines of the log, from the byte `begin` on."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(begin)
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        if self.memory_group is None:
            return run_as(self.account, command)
        members: IO[bytes]
        with self.memory_group.members.open("wb") as members:
            return run_as(self.account, ["/bin/sh", "-c", JOIN_GROUP, "sh", *command], members)

    def _kills(self) -> int:
        return 0 if self.memory_group is None else self.memory_group.kills()

    def _failure(self, begin: int, kills: int, complaint: str) -> ServerDidNotStart:
        """Why the server did not start, from its own log where that says it."""
        log = self.log_tail(begin)
        reason = fatal_reason(log)
        if not reason and self._kills() > kills:
            reason = "its memory limit is too small for it"
        reason = reason or complaint.strip() or "it gave no reason"
        return ServerDidNotStart(f"the server did not start: {reason}", log)

    def _wait_for_end(self, server: psutil.Process, patience_s: float) -> None:
        """Wait until the server removes its pid file, the last thing it does."""
        deadline = time.monotonic() + patience_s
        pid_file = self.data / "postmaster.pid"
        while pid_file.exists() and self._is_ours(server) and time.monotonic() < deadline:
            time.sleep(0.005)
        _gone(server, 1.0)

    def _is_ours(self, process: psutil.Process) -> bool:
        """A server works in its data folder, so that names its processes surely."""
        try:
            return process.cwd() == str(self.data.resolve())
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            return False

    def _remove_locks(self) -> None:
        """A killed server leaves these; they prevent a start while its number is in use.

        Another process may have the number by now, or it is a zombie's.
        """
        for path in (self.data / "postmaster.pid", *self.sockets.glob(".s.PGSQL.*")):
            path.unlink(missing_ok=True)

    def _processes(self) -> Iterator[psutil.Process]:
        return (process for process in psutil.process_iter() if self._is_ours(process))

    def _write(self, name: str, text: str) -> None:
        """Replace a file of the data folder, never writing through a link in it."""
        part = self.data / f"{name}.part"
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        give(self.account, part)
        part.replace(self.data / name)


def _gone(process: psutil.Process, patience_s: float) -> None:
    """Wait until a process has ended or is a zombie that nobody collects."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.005)
