"""For tests: a server's address for a role, a standby that follows it, a start that takes long."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from llmtune.postgres.account import Account, give, run_as, server_account
from llmtune.postgres.binaries import find_binaries, runnable_binaries
from llmtune.postgres.embedded import EmbeddedTarget


def socket_of(server: EmbeddedTarget) -> str:
    with server.connect() as connection:
        row = connection.execute("SHOW unix_socket_directories").fetchone()
    assert row is not None
    return str(row[0])


def address(server: EmbeddedTarget, user: str = "postgres", database: str = "postgres") -> str:
    return f"host={socket_of(server)} port=5432 user={user} dbname={database} password=hunter2"


def run(server: EmbeddedTarget, *statements: str) -> None:
    with server.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def shown(server: EmbeddedTarget, name: str) -> str:
    with server.connect() as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def entries(server: EmbeddedTarget) -> list[str]:
    lines = (server.data_folder / "postgresql.auto.conf").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def new_role(server: EmbeddedTarget, name: str, *grants: str) -> None:
    run(server, f"DROP ROLE IF EXISTS {name}", f"CREATE ROLE {name} LOGIN", *grants)


def drop_role(server: EmbeddedTarget, name: str) -> None:
    run(server, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def grant_alter_system(server: EmbeddedTarget, role: str, names: Iterable[str]) -> None:
    granted = sql.SQL("GRANT ALTER SYSTEM ON PARAMETER {} TO {}")
    with server.connect() as connection:
        for name in names:
            connection.execute(granted.format(sql.Identifier(name), sql.Identifier(role)))


class SlowStart:
    """Restarts a server that then replays WAL, and lets nobody in until it is let go."""

    def __init__(self, server: EmbeddedTarget, cache: Path) -> None:
        self._server = server
        self._account = server_account()
        binaries = runnable_binaries(find_binaries(), self._account, cache)
        self._program = binaries.program("pg_ctl")
        self._gate = server.data_folder / "gate"
        self._gate.unlink(missing_ok=True)
        wait = f"while [ ! -e {self._gate} ]; do sleep 0.05; done; false"
        with server.connect() as connection:
            asks = sql.SQL("ALTER SYSTEM SET restore_command = {}").format(sql.Literal(wait))
            connection.execute(asks)

    def restart(self) -> None:
        folder = self._server.data_folder
        (folder / "recovery.signal").touch()
        give(self._account, folder / "recovery.signal")
        where = ["-D", str(folder), "-l", str(folder.parent / "log")]
        done = run_as(self._account, [self._program, "restart", *where, "-m", "fast", "--no-wait"])
        assert done.returncode == 0, done.stderr
        while not (folder / "postmaster.pid").exists():  # the new server writes it a moment later
            time.sleep(0.01)

    def let_go(self) -> None:
        """For good: later restarts are not held either."""
        self._gate.touch()

    def let_go_after(self, seconds: float) -> None:
        threading.Timer(seconds, self.let_go).start()


@dataclass(frozen=True)
class Cluster:
    """A cluster made with options of initdb, whose server a test starts and stops."""

    folder: Path
    account: Account | None
    programs: Callable[[str], str]

    @property
    def address(self) -> str:
        return f"host={self.folder} port=5434 user=postgres dbname=postgres"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def control(self, *words: str) -> bool:
        """Whether pg_ctl says that it worked."""
        command = [self.programs("pg_ctl"), "-D", str(self.folder / "data"), "-w", "-t", "30"]
        options = f"-c port=5434 -c listen_addresses= -c unix_socket_directories={self.folder}"
        more = ["-l", str(self.folder / "log"), "-o", options, *words]
        return run_as(self.account, [*command, *more]).returncode == 0


@contextmanager
def cluster(cache: Path, *options: str) -> Iterator[Cluster]:
    """A running server of a new cluster that is there while the block runs."""
    account = server_account()
    program = runnable_binaries(find_binaries(), account, cache).program
    with tempfile.TemporaryDirectory(prefix="own-") as name:
        made = Cluster(Path(name), account, program)
        give(account, made.folder)
        fixed = ["-D", str(made.folder / "data"), "-U", "postgres", "--auth=trust"]
        fixed += ["--encoding=UTF8", "--locale=C", "--no-sync"]
        done = run_as(account, [program("initdb"), *fixed, *options])
        assert done.returncode == 0, done.stderr
        assert made.control("start"), made.log
        try:
            yield made
        finally:
            made.control("-m", "immediate", "stop")


@contextmanager
def standby(server: EmbeddedTarget, cache: Path) -> Iterator[str]:
    """The address of a standby that runs while the block does."""
    account, sockets = server_account(), socket_of(server)
    program = runnable_binaries(find_binaries(), account, cache).program
    folder = Path(tempfile.mkdtemp(prefix="standby-", dir=cache))
    give(account, folder)
    copy = [program("pg_basebackup"), "-D", str(folder / "data"), "-R", "--checkpoint=fast"]
    made = run_as(account, [*copy, "-h", sockets, "-U", "postgres"])
    assert made.returncode == 0, made.stderr
    options = f"-c port=5433 -c unix_socket_directories={sockets}"
    control = [program("pg_ctl"), "-D", str(folder / "data"), "-w", "-l", str(folder / "log")]
    assert run_as(account, [*control, "-o", options, "start"]).returncode == 0
    try:
        yield f"host={sockets} port=5433 user=postgres dbname=postgres"
    finally:
        run_as(account, [*control, "-m", "immediate", "stop"])
