"""Original settings come back, whatever ended the tuner: on a real server, with real kills."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llmtune.errors import SessionError, TargetError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.space import resolve_space
from llmtune.postgres.session import open_session
from llmtune.postgres.settings import SettingsApplier
from llmtune.postgres.tuner_lock import TunerLock
from llmtune.tuning.restore import restore, restore_files
from llmtune.tuning.restore_points import PointState, RestorePoints, TargetJournal
from llmtune.tuning.store import SessionStore
from tests.tuning.killed_tuner import KNOBS, RELOADABLE
from tests.tuning.outliving import Outliving

ROOT = Path(__file__).parents[2]
OWNERS = {"checkpoint_timeout": "7min", "deadlock_timeout": "2s", "log_line_prefix": "it''s %m "}
"""ALTER SYSTEM entries of the server's owner, one of them for a knob that is tuned."""


class Place:
    """The server, as its owner and as the tuner's successor see it."""

    def __init__(self, embedded, cache, url):
        with embedded.connect() as connection:
            row = connection.execute("SHOW unix_socket_directories").fetchone()
        self.data = embedded.data_folder
        self.arguments = (self.data.parent, Path(row[0]), cache)
        self.target = Outliving(*self.arguments, can_restart=True)
        self.stiff = Outliving(*self.arguments, can_restart=False)
        self.url = url
        self.points = RestorePoints(SessionStore(url))

    def execute(self, *statements):
        with self.target.connect() as connection:
            for one in statements:
                row = connection.execute(one)
        return row.fetchone() if row.description else None

    def show(self, name):
        with self.target.connect() as connection:
            return connection.execute("SELECT current_setting(%s)", [name]).fetchone()[0]

    def entries(self):
        lines = (self.data / "postgresql.auto.conf").read_text().splitlines()
        return sorted(line for line in lines if not line.startswith("#"))

    def kill_tuner(self, step):
        command = [sys.executable, "-m", "tests.tuning.killed_tuner", *map(str, self.arguments)]
        done = subprocess.run(
            [*command, self.url, step], cwd=ROOT, capture_output=True, check=False
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()

    def tuner(self, target=None, names=KNOBS):
        target = target or self.target
        space = resolve_space(load_catalogue(), 18, target.hardware, names)
        return SettingsApplier(target, space, TargetJournal(self.points, "run")), space

    def restore(self, point_id="run", target=None, **options):
        point = self.points.point(point_id)
        return restore(target or self.target, self.points, point, **options)


@pytest.fixture
def place(embedded, cache, tmp_path):
    place = Place(embedded, cache, f"sqlite:///{tmp_path / 'sessions.db'}")
    statements = [f"ALTER SYSTEM SET {name} = '{text}'" for name, text in OWNERS.items()]
    place.execute(*statements, "SELECT pg_reload_conf()")
    place.before = place.entries()
    yield place
    embedded.recover()


def check_original(place):
    assert place.entries() == place.before
    shown = [place.show(name) for name in ("checkpoint_timeout", "max_wal_size", "shared_buffers")]
    assert shown == ["7min", "1GB", "128MB"]
    assert place.show("deadlock_timeout") == "2s"
    assert place.points.due() == ()


@pytest.mark.parametrize(
    "step", ["journalled", "half altered", "altered", "reloaded", "querying", "restarted"]
)
def test_a_killed_tuners_changes_are_put_back(place, step):
    place.kill_tuner(step)
    (due,) = place.points.due()
    assert (due.id, due.state) == ("killed", PointState.DUE)
    assert due.touched["checkpoint_timeout"].original.altered == "7min"
    assert place.restore("kil").complete
    check_original(place)
    assert place.restore("killed").put_back == ()
    check_original(place)


def test_before_the_journal_is_written_nothing_is_changed(place):
    place.kill_tuner("unjournalled")
    check_original(place)


def test_a_server_that_is_down_is_put_back_in_its_files(place):
    place.kill_tuner("restarting")
    assert place.target.cluster.postmaster() is None
    assert "shared_buffers = '8192'" in place.entries()
    file = place.data / "postgresql.auto.conf"
    before = file.stat()
    done = restore_files(place.data, place.points, place.points.point("killed"))
    assert set(done.put_back) == {*RELOADABLE, "shared_buffers"}
    after = file.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid,
        before.st_gid,
        before.st_mode,
    )
    place.target.recover()
    check_original(place)


def test_what_the_server_does_not_load_is_not_restored(place):
    place.kill_tuner("reloaded")
    file = place.data / "postgresql.conf"
    readable = file.read_bytes()
    file.write_bytes(readable + b"no_such_setting = 1\n")
    try:
        with pytest.raises(TargetError, match="did not load its configuration files"):
            place.restore("killed")
        assert place.show("max_wal_size") == "2GB"
        assert place.points.point("killed").state is PointState.DUE
    finally:
        file.write_bytes(readable)
    assert place.restore("killed").complete
    check_original(place)


def test_a_killed_tuners_lock_is_free(place):
    place.kill_tuner("reloaded")
    with TunerLock(place.target), pytest.raises(TargetError, match="another llmtune"):
        TunerLock(place.target).hold()


def test_the_lock_of_a_tuner_that_ends_just_now_is_waited_for(place):
    with TunerLock(place.target) as ending, ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(TunerLock(place.target).hold)
        time.sleep(0.3)
        assert not waiting.done()
        ending.let_go()
        waiting.result().close()


def test_the_lock_holds_across_databases_and_is_taken_again_after_a_restart(place):
    class Elsewhere(Outliving):
        def connect(self, database=None, settings=None):
            return super().connect("template1", settings)

    other = Elsewhere(*place.arguments, can_restart=False)
    with TunerLock(place.target) as lock:
        with pytest.raises(TargetError, match="another llmtune"):
            TunerLock(other).hold()
        place.target.restart()
        lock.hold()
        with pytest.raises(TargetError, match="server process"):
            TunerLock(other).hold()
    TunerLock(other).hold()


def test_what_somebody_else_set_meanwhile_stays(place):
    applier, space = place.tuner()
    applier.apply(space.configuration(RELOADABLE))
    place.execute("ALTER SYSTEM SET max_wal_size = '3GB'", "ALTER SYSTEM SET lock_timeout = '9s'")
    done = place.restore()
    assert done.foreign == (("max_wal_size", "3GB"),)
    assert set(done.put_back) == {"checkpoint_timeout", "wal_compression"}
    expected = {*place.before, "max_wal_size = '3GB'", "lock_timeout = '9s'"}
    assert set(place.entries()) == expected
    assert place.points.due() == ()
    assert place.restore(force=True).put_back == ("max_wal_size",)
    assert set(place.entries()) == {*place.before, "lock_timeout = '9s'"}


def test_a_tuner_stops_rather_than_overwrite_what_somebody_else_set(place):
    applier, space = place.tuner()
    applier.apply(space.configuration(RELOADABLE))
    place.execute("ALTER SYSTEM SET max_wal_size = '3GB'")
    with pytest.raises(TargetError, match="somebody else set max_wal_size to 3GB"):
        applier.apply(space.configuration({"max_wal_size": 4096}))
    assert "max_wal_size = '3GB'" in place.entries()


def test_a_restart_that_may_not_be_done_is_told_and_stays_due(place):
    applier, space = place.tuner()
    applier.apply(space.configuration({"shared_buffers": 8192}))
    done = place.restore(target=place.stiff)
    assert (done.put_back, done.waiting) == (
        ("checkpoint_timeout", "shared_buffers"),
        ("shared_buffers",),
    )
    (due,) = place.points.due()
    assert (due.state, due.waiting) == (PointState.PARTIAL, ("shared_buffers",))
    assert place.restore(target=place.stiff).waiting == ("shared_buffers",)
    place.target.restart()
    assert place.restore(target=place.stiff).complete
    check_original(place)


def test_a_continued_run_keeps_the_originals_of_its_first_start(place):
    applier, space = place.tuner()
    applier.apply(space.configuration(RELOADABLE))
    later, _ = place.tuner()
    later.apply(space.configuration({"checkpoint_timeout": 1200}))
    place.restore()
    check_original(place)


def test_another_server_is_not_touched(place):
    applier, space = place.tuner()
    applier.apply(space.configuration(RELOADABLE))
    with place.points._store.transaction() as db:
        from llmtune.tuning.schema import RestorePointRow

        db.get(RestorePointRow, "run").system = "1"
    with pytest.raises(SessionError, match="another server"):
        place.restore()
    with pytest.raises(SessionError, match="another server"):
        restore_files(place.data, place.points, place.points.point("run"))
    assert "max_wal_size = '2048'" in place.entries()


def test_the_files_of_a_running_server_are_left_alone(place):
    applier, space = place.tuner()
    applier.apply(space.configuration(RELOADABLE))
    with pytest.raises(TargetError, match="runs"):
        restore_files(place.data, place.points, place.points.point("run"))


class Tuner(Outliving):
    """Logs in as a role that may change two knobs, and little else."""

    def connect(self, database=None, settings=None):
        parts = {"host": str(self.cluster.sockets), "user": "tuner", "dbname": "postgres"}
        return open_session(settings or {}, parts)


@pytest.fixture
def least(place):
    place.execute(
        "DROP ROLE IF EXISTS tuner",
        "CREATE ROLE tuner LOGIN",
        "GRANT ALTER SYSTEM ON PARAMETER checkpoint_timeout, shared_buffers TO tuner",
        "GRANT EXECUTE ON FUNCTION pg_reload_conf() TO tuner",
    )
    yield Tuner(*place.arguments, can_restart=True)
    place.execute("DROP OWNED BY tuner", "DROP ROLE tuner")


def test_a_role_with_least_rights_restores(place, least):
    applier, space = place.tuner(least, ["checkpoint_timeout"])
    applier.apply(space.configuration({"checkpoint_timeout": 900}))
    assert place.show("checkpoint_timeout") == "15min"
    assert place.restore(target=least).put_back == ("checkpoint_timeout",)
    # The text may differ, the value does not: this role does not see the file.
    place.before = [line.replace("'7min'", "'420'") for line in place.before]
    check_original(place)


def test_what_a_role_could_not_put_back_it_does_not_change(place, least):
    place.execute("ALTER SYSTEM SET shared_buffers = '64MB'", "SELECT pg_reload_conf()")
    before = place.entries()
    applier, space = place.tuner(least, ["shared_buffers"])
    with pytest.raises(TargetError, match="could not put it back"):
        applier.apply(space.configuration({"shared_buffers": 4096}))
    assert place.entries() == before
    assert place.points.due() == ()


def test_no_password_of_the_file_gets_into_the_store(place):
    place.execute("ALTER SYSTEM SET primary_conninfo = 'host=x password=hunter2'")
    applier, space = place.tuner()
    applier.apply(space.configuration(RELOADABLE))
    kept = place.points.point("run")
    assert "hunter2" not in repr(kept)
    assert kept.touched["checkpoint_timeout"].original.altered == "7min"
    database = Path(place.url.removeprefix("sqlite:///"))
    assert b"hunter2" not in database.read_bytes()
    assert database.stat().st_mode & 0o077 == 0
