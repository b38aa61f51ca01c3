"""A server that somebody owns, a tuner at work on it, and what must hold afterwards."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner

from llmtune.cli.app import app
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.server_settings import reload_settings
from llmtune.tuning.record import JournalEntry, SessionStatus
from llmtune.tuning.restore_points import RestorePoints
from llmtune.tuning.store import SessionStore
from tests.faults.tuner import Ended, Tuner
from tests.faults.wire import Line, Point, Wire, leave_open

OWNERS = ("checkpoint_timeout = '7min'", "deadlock_timeout = '2s'")
"""What the owner has set with ALTER SYSTEM: one on a knob that is tuned."""

READ = "SELECT count(*), pg_sleep(CASE WHEN {tuned} THEN 0.001 ELSE 0.04 END) FROM notes"
TUNED = "current_setting('checkpoint_timeout') = '15min'"
QUERIES = f"{READ.format(tuned=TUNED)};\nINSERT INTO notes SELECT 1;\n"
"""Two queries, faster under one of the first guess's knobs: so every session searches
three trials (0 to 2), minimises in four (3 to 6) and confirms in ten (7 to 16). The
difference is wide enough for a busy machine."""

GUESS = {"work_mem": "16MB", "checkpoint_timeout": "15min", "wal_compression": "pglz"}
"""Trials 0 and 1 run the default, 2 this."""
TRIALS = 17

SETTINGS = "SELECT name, setting FROM pg_settings WHERE context <> 'internal' ORDER BY name"
UNHURRIED = {"statement_timeout": "0", "lock_timeout": "0", "transaction_timeout": "0"}


def set_up(server: EmbeddedTarget) -> None:
    """Give the server the table of the workload and its owner's settings."""
    with server.connect() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes AS SELECT generate_series(1, 9) AS n")
        for entry in OWNERS:
            connection.execute(f"ALTER SYSTEM SET {entry}".encode())
        reload_settings(connection)


class Scene:
    """One fault: a server, a store and a folder of their own."""

    def __init__(self, server: EmbeddedTarget, folder: Path, door: Path) -> None:
        """Take the place.

        Args:
            door: the folder of the socket that tuners use; its path must be short.
        """
        self.server, self.folder = server, folder
        self.database = folder / "sessions.db"
        self.out = folder / "out"
        (folder / "queries.sql").write_text(QUERIES)
        (folder / "guess.json").write_text(json.dumps(GUESS))
        self.sockets = Path(self.show("unix_socket_directories"))
        self.door = door
        self.user = "postgres"
        self.before = (self.entries(), self.settings())
        self.tuner: Tuner | None = None
        leave_open(door, self.sockets)

    def leave(self) -> None:
        """Take away what only this fault needed."""
        if self.user != "postgres":
            self.run(f"DROP OWNED BY {self.user}", f"DROP ROLE {self.user}")

    @property
    def url(self) -> str:
        """The session store's."""
        return f"sqlite:///{self.database}"

    def run(self, *statements: str) -> None:
        with self.server.connect(settings=UNHURRIED) as connection:
            for one in statements:
                connection.execute(one.encode())

    def show(self, name: str) -> str:
        with self.server.connect(settings=UNHURRIED) as connection:
            row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
        assert row is not None
        return str(row[0])

    def entries(self) -> list[str]:
        """The lines of ALTER SYSTEM's file."""
        lines = (self.server.data_folder / "postgresql.auto.conf").read_text().splitlines()
        return sorted(line for line in lines if not line.startswith("#"))

    def settings(self) -> dict[str, str]:
        """Every setting in force."""
        with self.server.connect(settings=UNHURRIED) as connection:
            rows = connection.execute(SETTINGS).fetchall()
        return dict(rows)

    def least_rights(self) -> None:
        """From now on the tuner logs in as a role that may do no more than it must."""
        self.user = "least"
        names = ("checkpoint_timeout", "wal_compression")
        self.run(
            "CREATE ROLE least LOGIN",
            "GRANT pg_read_all_settings, pg_read_all_stats TO least",
            "GRANT EXECUTE ON FUNCTION pg_reload_conf() TO least",
            "GRANT SELECT ON pg_file_settings TO least",
            "GRANT EXECUTE ON FUNCTION pg_show_all_file_settings() TO least",
            *(f"GRANT ALTER SYSTEM ON PARAMETER {name} TO least" for name in names),
            "GRANT SELECT, INSERT ON notes TO least",
        )

    @property
    def address(self) -> str:
        return f"postgresql://{self.user}@/postgres?host={self.door}"

    @property
    def tune(self) -> list[object]:
        """The words of `llmtune tune`."""
        where = ["--target", self.address, "--store", self.url, "--out", self.out]
        what = ["--workload", self.folder / "queries.sql", "--allow-writes"]
        # The query's time follows a knob that no reading query's should: no trial is spared.
        how = ["--warm-start", self.folder / "guess.json", "--trials", 3, "--spare", "none"]
        return ["tune", *where, *what, *how, "--cores", 2, "--memory", "4GB", "--yes"]

    def call(self, *arguments: object) -> Ended:
        """A command that nothing happens to, in this very process."""
        done = CliRunner().invoke(app, [str(one) for one in arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ended(done.exit_code, done.stdout, done.stderr)

    def stored(self, name: str, *options: object) -> Ended:
        return self.call(name, *options, "--store", self.url)

    def meet(self, point: Point, act: Callable[[Line], None], *options: object) -> Ended:
        """A session to its end, in which `act` happens once at the point."""
        with Wire(self.door, self.sockets, point, self.journalled, act) as wire:
            self.tuner = Tuner(self.folder, [*self.tune, *options])
            done = self.tuner.wait()
        assert wire.reached, f"{point} was never reached: {done.stderr}"
        return done

    def signal(self, number: signal.Signals) -> Callable[[Line], None]:
        """Send the tuner a signal."""

        def send(_: Line) -> None:
            assert self.tuner is not None
            os.kill(self.tuner.pid, number)

        return send

    def journal(self) -> tuple[JournalEntry, ...]:
        store = SessionStore(self.url)
        try:
            return store.journal(self.session) if store.sessions() else ()
        finally:
            store.close()

    def journalled(self) -> int:
        return len(self.journal()) if self.database.exists() else 0

    @property
    def session(self) -> str:
        return SessionStore(self.url).sessions()[0].record.id

    @property
    def status(self) -> SessionStatus:
        return SessionStore(self.url).summary(self.session).status

    @property
    def due(self) -> list[str]:
        return [one.id for one in RestorePoints(SessionStore(self.url)).due()]

    def check_original(self) -> None:
        """Every setting and every entry is as its owner left it, and nothing is due."""
        entries, settings = self.before
        assert self.entries() == entries
        assert self.settings() == settings
        assert self.due == []

    def check_resumes(self) -> None:
        """The session goes on to its end without measuring anything twice."""
        kept = self.journal()
        assert [one.trial.number for one in kept] == list(range(len(kept)))
        done = self.stored("resume", self.session, "--yes")
        assert done.code == 0, done.stderr
        assert self.journal()[: len(kept)] == kept
        assert self.status is SessionStatus.FINISHED
        result = json.loads((self.out / "result.json").read_text())
        assert len(result["trials"]) == len(self.journal()) >= len(kept)
        self.check_original()
