"""The commands on a server that outlives them: due notices, refusals, dry run, apply, restore."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llmtune.cli.app import app
from llmtune.cli.bench import open_bench
from llmtune.cli.progress import Reporter
from llmtune.cli.safety import Safety
from llmtune.errors import ConnectionFailed, SessionError, TargetError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.space import resolve_space
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.live.waiting import Patience
from llmtune.postgres.originals import Originals, ServerIdentity
from llmtune.postgres.server_settings import reload_settings
from llmtune.postgres.settings import SettingsApplier
from llmtune.postgres.tuner_lock import TunerLock
from llmtune.trial import TrialStatus
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from llmtune.tuning.restore_points import PointState, RestorePoints
from llmtune.tuning.store import SessionStore
from tests.postgres.live_server import SlowStart
from tests.tuning.test_restore import ROOT, Place
from workloads.options import WorkloadOptions

SMALL = ("--cores", "2", "--memory", "1GB", "--warm-start", "rules", "--trials", "3")
QUERIES = "SELECT count(*) FROM pg_class;\n"
NOWHERE = "postgresql://postgres@/postgres?host=/nowhere"


class Live(Place):
    """The server by its address, and the command line on it."""

    def __init__(self, embedded, cache, folder):
        super().__init__(embedded, cache, f"sqlite:///{folder / 'sessions.db'}")
        self.folder = folder
        (folder / "queries.sql").write_text(QUERIES)
        self.address = f"postgresql://postgres@/postgres?host={self.arguments[1]}"
        self.environment = {"XDG_DATA_HOME": str(folder), "COLUMNS": "200"}

    def call(self, *arguments):
        done = CliRunner(env=self.environment).invoke(app, [*map(str, arguments)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    def tune_options(self):
        where = ("--target", self.address, "--store", self.url, "--out", self.folder / "out")
        return ["tune", *where, "--workload", self.folder / "queries.sql", *SMALL]

    def tune(self, *options):
        return self.call(*self.tune_options(), *options)

    def restore(self, *options):
        return self.call("restore", *options, "--store", self.url)


@pytest.fixture
def live(embedded, cache, tmp_path):
    live = Live(embedded, cache, tmp_path)
    live.execute("ALTER SYSTEM SET checkpoint_timeout = '7min'", "SELECT pg_reload_conf()")
    live.before = live.entries()
    yield live
    embedded.recover()


def leave_behind(live):
    """What a killed tuner leaves."""
    live.kill_tuner("reloaded")
    assert "max_wal_size = '2048'" in live.entries()


def test_the_next_commands_say_that_a_restore_is_due(live):
    leave_behind(live)
    listed = live.call("sessions", "--store", live.url, "--json")
    assert json.loads(listed.stdout)["restore_due"] == ["killed"]
    command = f"llmtune restore killed --store {live.url}"
    assert command in listed.stderr
    refused = live.tune()
    assert refused.exit_code == 1
    assert command in refused.stderr
    assert "max_wal_size = '2048'" in live.entries()


def test_restore_puts_back_and_then_has_nothing_to_do(live):
    leave_behind(live)
    first = live.restore("--json")
    (facts,) = json.loads(first.stdout)["restored"]
    assert (facts["session"], facts["complete"]) == ("killed", True)
    assert set(facts["put_back"]) == {"checkpoint_timeout", "max_wal_size", "wal_compression"}
    assert live.entries() == live.before
    for again in ([], ["killed"], ["--target", live.address]):
        told = live.restore(*again).stdout
        assert "Nothing to do" in told
        assert live.url in told, "all that is known is what this store says"


def test_a_stranger_is_told_that_there_is_nothing(live):
    done = live.restore("nosuch")
    assert done.exit_code == 1
    assert "left nothing to restore" in done.stderr


def test_the_command_that_writes_a_result_later_names_the_store(tmp_path):
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    points = RestorePoints(SessionStore(store))
    points.keep("run", Originals(ServerIdentity("7", NOWHERE), {}))
    with pytest.raises(ConnectionFailed) as failure:
        Safety(points, "run", Reporter(quiet=True)).end_runs(
            DsnTarget(NOWHERE, patience=Patience(recovery_s=0.0))
        )
    assert f"`llmtune resume run --store {store}` writes its result" in failure.value.__notes__[0]


def test_tune_with_yes_restores_first_and_leaves_nothing(live):
    leave_behind(live)
    done = live.tune("--yes", "--json")
    assert done.exit_code == 0, done.stderr
    assert live.entries() == live.before
    assert RestorePoints(SessionStore(live.url)).due() == ()


def test_leftovers_wait_for_what_its_owner_has_not_loaded(live):
    leave_behind(live)
    live.execute("ALTER SYSTEM SET deadlock_timeout = '3s'")
    refused = live.tune("--yes")
    assert refused.exit_code == 1
    assert "changes that are not loaded: deadlock_timeout (" in refused.stderr
    assert "what is left of killed waits for it" in refused.stderr
    assert live.show("deadlock_timeout") == "1s"
    assert "max_wal_size = '2048'" in live.entries()
    with live.target.connect() as connection:
        reload_settings(connection)
    with DsnTarget(live.address, live.target.hardware) as target:
        safety = Safety(live.points, "run", Reporter(quiet=True), yes=True)
        with safety.guard(target):
            assert live.entries() == [*live.before, "deadlock_timeout = '3s'"]


def test_a_dry_run_only_reads(live):
    done = live.tune("--dry-run")
    assert done.exit_code == 0, done.stderr
    assert "SELECT count(*) FROM pg_class;" in done.stdout
    assert 'SET "' in done.stdout
    assert live.entries() == live.before
    assert not (live.folder / "out").exists()
    assert SessionStore(live.url).sessions() == ()


def test_a_dry_run_loads_nothing(live):
    with live.target.connect() as connection:
        query = "SELECT count(*) FROM pg_database"
        before = connection.execute(query).fetchone()
        where = ("--target", live.address, "--store", live.url, *SMALL)
        refused = live.call("tune", *where, "--workload", "tpch", "--scale", "0.02", "--dry-run")
        assert connection.execute(query).fetchone() == before
    assert refused.exit_code == 2
    assert "loads nothing" in refused.stderr


def test_a_kept_configuration_can_be_taken_back(live):
    live.kill_tuner("reloaded")
    live.points.mark("killed", PointState.KEPT)
    told = live.restore().stdout
    assert "Nothing to do" in told
    assert "killed was applied for good" in told
    assert f"llmtune restore killed --store {live.url}" in told
    assert "in force" not in told
    assert live.restore("killed").exit_code == 1
    assert "max_wal_size = '2048'" in live.entries()
    assert live.restore("killed", "--yes").exit_code == 0
    assert live.entries() == live.before


def test_apply_is_for_servers_that_stay(live):
    done = live.call("tune", "--target", "embedded", "--apply", "--warm-start", "none")
    assert done.exit_code == 2
    assert "--apply" in done.stderr


def test_apply_is_refused_at_once_where_nobody_can_answer(live):
    done = live.tune("--apply")
    assert done.exit_code == 2
    assert "give --yes" in done.stderr
    assert not (live.folder / "out").exists()
    assert live.tune("--apply", "--dry-run").exit_code == 0


def applied(live, fast):
    """How `tune --apply --json` ends when a query is fast under that condition only."""
    sleep = f"SELECT pg_sleep(CASE WHEN {fast} THEN 0.001 ELSE 0.03 END);\n"
    (live.folder / "queries.sql").write_text(sleep)
    guess = live.folder / "guess.json"
    guess.write_text(json.dumps({"work_mem": "16MB"}))
    done = live.tune("--apply", "--yes", "--json", "--warm-start", guess, "--spare", "none")
    assert done.exit_code == 0, done.stderr
    return done


def test_how_to_take_back_what_is_applied_is_said_beside_json_too(live):
    done = applied(live, "current_setting('work_mem') = '16MB'")
    session = json.loads(done.stdout)["session"]
    assert f"take it back with: llmtune restore {session} --store {live.url}" in done.stderr
    assert live.entries() == [*live.before, "work_mem = '16384'"]
    assert live.restore(session, "--yes").exit_code == 0
    assert live.entries() == live.before


def test_that_nothing_is_applied_is_said_beside_json_too(live):
    done = applied(live, "current_setting('work_mem') = '4MB'")
    assert "Nothing is applied: no configuration is proved better" in done.stderr
    assert live.entries() == live.before


def test_a_database_is_tuned_from_what_it_has_and_measured_at_what_is_told(live):
    check = "SELECT 1 / (current_setting('work_mem') = '12MB')::int"
    (live.folder / "queries.sql").write_text(check)
    live.execute("CREATE DATABASE shop", "ALTER DATABASE shop SET work_mem = '12MB'")
    request = TargetRequest(live.address, 2, "1GB")
    own = WorkloadRequest(str(live.folder / "queries.sql"), WorkloadOptions(database="shop"))
    safety = Safety(RestorePoints(SessionStore(live.url)), "run", Reporter(quiet=True))
    try:
        with open_bench(request, own, safety.reporter, safety) as bench:
            assert bench.space.baseline()["work_mem"] == 12 << 10
            evaluator, wanted = bench.benchmark(), [{}, {"work_mem": 4 << 10}]
            trials = [
                evaluator.measure(bench.space.configuration(changes), number=n, source="test")
                for n, changes in enumerate(wanted)
            ]
        assert [one.status for one in trials] == [TrialStatus.SUCCEEDED, TrialStatus.FAILED]
        assert "division by zero" in trials[1].message, "the address's own database has 4 MB"
        refused = live.tune("--database", "shop", "--apply", "--yes")
        assert refused.exit_code == 2
        assert "ALTER DATABASE \"shop\" SET work_mem = '12MB'" in refused.stderr
    finally:
        live.execute("DROP DATABASE shop WITH (FORCE)")


def test_two_tuners_do_not_share_a_server(live):
    with TunerLock(live.target):
        refused = live.tune()
    assert refused.exit_code == 1
    assert "another llmtune" in refused.stderr


def test_a_killed_tuner_is_resumed_by_another_optimizer(live):
    (live.folder / "queries.sql").write_text("SELECT count(*), pg_sleep(0.05) FROM pg_class;\n")
    command = [str(Path(sys.executable).with_name("llmtune")), *map(str, live.tune_options())]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **live.environment}, stderr=subprocess.PIPE, text=True
    )
    seen = ""
    for line in process.stderr:
        seen += line
        if "rules" in line:
            break
    process.send_signal(signal.SIGKILL)
    seen += process.communicate(timeout=60)[1]
    (session,) = (one.record.id for one in SessionStore(live.url).sessions())
    done = live.call("resume", session, "--optimizer", "random", "--store", live.url, "--json")
    assert done.exit_code == 0, (seen, done.stderr)
    result = json.loads(done.stdout)
    assert (result["session"], result["optimizer"]) == (session, "random")
    assert live.entries() == live.before


def test_a_server_that_our_settings_keep_down_is_brought_up_again(live):
    live.kill_tuner("restarting")
    assert live.target.cluster.postmaster() is None
    told = live.restore("killed")
    assert told.exit_code == 1
    assert "--pgdata" in told.stderr
    done = live.restore("--pgdata", live.data, "--json")
    (facts,) = json.loads(done.stdout)["restored"]
    assert "shared_buffers" in facts["put_back"]
    assert live.entries() == live.before
    live.target.recover()
    assert live.show("shared_buffers") == "128MB"
    assert "Nothing to do" in live.restore().stdout


def started(live):
    return live.execute("SELECT pg_postmaster_start_time()")


def test_a_refused_login_neither_restarts_nor_mends_a_server_that_runs(live):
    leave_behind(live)
    left, since = live.entries(), started(live)
    stranger = live.address.replace("postgres@", "nosuch@")
    way = ("--allow-restart", "--restart-pgdata", live.data)
    done = live.restore("killed", "--target", stranger, *way)
    assert done.exit_code == 1
    assert 'role "nosuch" does not exist' in done.stderr
    assert (live.entries(), started(live)) == (left, since)
    assert live.restore("killed", *way).exit_code == 0
    assert live.entries() == live.before


def test_a_server_that_replays_wal_is_neither_mended_nor_restarted(live, embedded, cache):
    leave_behind(live)
    slow = SlowStart(embedded, cache)
    slow.restart()
    number = (live.data / "postmaster.pid").read_text().split()[0]
    slow.let_go_after(3.0)
    done = live.restore("killed", "--allow-restart", "--restart-pgdata", live.data)
    assert done.exit_code == 0, done.stderr
    assert "waiting until it is ready" in done.stderr
    assert (live.data / "postmaster.pid").read_text().split()[0] == number
    assert [one for one in live.entries() if "restore_command" not in one] == live.before


def test_a_server_that_its_owner_restarts_just_now_is_waited_for(live):
    leave_behind(live)
    cluster = live.target.cluster
    cluster.stop()
    starting = threading.Timer(0.3, cluster.start)
    starting.start()
    done = live.restore("killed")
    starting.join()
    assert done.exit_code == 0, done.stderr
    assert live.entries() == live.before


def other_cluster(live):
    """A data folder whose server ran once and is another one."""
    folder = live.folder / "other"
    (folder / "global").mkdir(parents=True)
    (folder / "global" / "pg_control").write_bytes(bytes(range(8)))
    shutil.copy(live.data / "postmaster.opts", folder)
    shutil.copy(live.data / "postgresql.auto.conf", folder)
    return folder


def test_another_servers_folder_is_neither_mended_nor_started(live):
    live.kill_tuner("restarting")
    folder = other_cluster(live)
    content = (folder / "postgresql.auto.conf").read_bytes()
    done = live.restore("killed", "--allow-restart", "--restart-pgdata", folder)
    assert done.exit_code == 1
    assert "another server's" in done.stderr
    assert (folder / "postgresql.auto.conf").read_bytes() == content
    assert not (folder / "postmaster.pid").exists()


def test_one_server_that_is_away_does_not_keep_the_others_from_being_put_back(live):
    leave_behind(live)
    originals = Originals(ServerIdentity("7", NOWHERE), {})
    for name in ("away", "too"):
        live.points.keep(name, originals)
    done = live.restore("--json")
    told = json.loads(done.stdout)
    assert [one["session"] for one in told["restored"]] == ["killed"]
    assert sorted(told["failed"]) == ["away", "too"]
    assert done.exit_code == 1
    assert "away: cannot connect" in done.stderr
    assert "too: cannot connect" in done.stderr
    assert live.entries() == live.before


def test_a_restart_is_left_to_the_owner_who_can_give_a_way(live):
    live.kill_tuner("restarted")
    waits = live.restore()
    assert waits.exit_code == 1
    assert "shared_buffers: the original values are in the file again" in waits.stdout
    assert f"`llmtune restore killed --store {live.url}` once more" in waits.stdout
    assert "waits for a restart" in live.call("sessions", "--store", live.url).stderr
    live.target.restart()
    assert live.restore().exit_code == 0
    assert live.restore("killed").exit_code == 0


def test_the_best_configuration_is_left_in_force_until_it_is_taken_back(live):
    with DsnTarget(live.address, live.target.hardware) as target:
        names = ["work_mem", "checkpoint_timeout"]
        space = target.tunable(resolve_space(load_catalogue(), 18, target.hardware, names))
        points = RestorePoints(SessionStore(live.url))
        safety = Safety(points, "kept", Reporter(quiet=True))
        with safety.guard(target) as journal:
            applier = SettingsApplier(target, space, journal)
            applier.apply(space.configuration({"checkpoint_timeout": 1800}))
            best = space.configuration({"work_mem": 8192, "checkpoint_timeout": 900})
            safety.apply_for_good(target, space, best)
    kept = ["checkpoint_timeout = '900'", "work_mem = '8192'"]
    assert live.entries() == kept
    assert live.show("work_mem") == "8MB"
    assert RestorePoints(SessionStore(live.url)).due() == ()
    assert live.restore("kept", "--yes").exit_code == 0
    assert live.entries() == live.before


def fail_in_the_middle(live):
    with DsnTarget(live.address, live.target.hardware) as target:
        names = ["checkpoint_timeout", "max_wal_size"]
        space = target.tunable(resolve_space(load_catalogue(), 18, target.hardware, names))
        safety = Safety(RestorePoints(SessionStore(live.url)), "run", Reporter(quiet=True))
        with safety.guard(target) as journal:
            changes = {"checkpoint_timeout": 1800, "max_wal_size": 2048}
            SettingsApplier(target, space, journal).apply(space.configuration(changes))
            live.execute("ALTER SYSTEM SET max_wal_size = '3GB'")
            raise SessionError("in the middle")


def test_an_error_in_the_middle_leaves_the_originals_and_others_changes(live):
    with pytest.raises(SessionError, match="in the middle"):
        fail_in_the_middle(live)
    assert live.entries() == [*live.before, "max_wal_size = '3GB'"]
    assert RestorePoints(SessionStore(live.url)).due() == ()


def test_a_standby_is_refused(live):
    with DsnTarget(live.address, live.target.hardware) as target:
        target._report = replace(target.report, standby=True)
        safety = Safety(RestorePoints(SessionStore(live.url)), "run", Reporter(quiet=True))
        with pytest.raises(TargetError, match="tune --allow-standby"), safety.guard(target):
            raise AssertionError


def test_doctor_says_that_a_restore_is_due(live):
    live.kill_tuner("reloaded")
    home = live.environment["XDG_DATA_HOME"]
    default = Path(home, "llmtune", "sessions.db")
    default.parent.mkdir()
    shutil.copy(live.folder / "sessions.db", default)
    options = ("--target", live.address, "--cores", "2", "--memory", "1GB")
    told = live.call("doctor", *options).stderr
    assert "llmtune restore killed`" in told, "the user's own store needs no option"


def test_a_folder_that_may_be_a_due_servers_is_not_called_restored(live):
    originals = Originals(ServerIdentity("", NOWHERE), {})
    live.points.keep("unknown", originals)
    told = live.restore("--pgdata", live.data).stdout
    assert f"unknown is due on {NOWHERE}" in told
    assert f"--pgdata {live.data}" in told
