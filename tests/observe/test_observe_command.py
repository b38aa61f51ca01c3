"""`llmtune tune --observe` by a role with the least rights: what it shows, refuses and leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llmtune.cli.app import app
from llmtune.cli.observing import continued
from llmtune.model.warm_start import Part, WarmStart
from llmtune.tuning.reopen import requests_of
from llmtune.tuning.store import SessionStore

KNOBS = ("enable_nestloop", "enable_material")
SHORT = ("--window", "1s", "--settle", "1s", "--min-calls", "20", "--rollback-at", "500%")
HARDWARE = ("--cores", "2", "--memory", "1GB")


class Command:
    """The command line as the user who tunes calls it, who may do just that."""

    def __init__(self, shop, folder: Path) -> None:
        self.shop, self.folder = shop, folder
        self.store = f"sqlite:///{folder / 'sessions.db'}"
        self.address = shop.address.replace("postgres@", "tuner@")
        self.environment = {"XDG_DATA_HOME": str(folder), "COLUMNS": "200"}
        self.start = folder / "start.json"
        self.start.write_text(json.dumps({"enable_material": "off"}))

    def call(self, *arguments):
        done = CliRunner(env=self.environment).invoke(app, [*map(str, arguments)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    def observing(self, *options, target=None):
        where = ("--target", target or self.address, *HARDWARE, "--store", self.store)
        start = ("--warm-start", self.start, "--out", self.folder / "out")
        return ["tune", "--observe", *where, *start, *SHORT, *options]

    def started(self, *options):
        call = map(str, self.observing(*options))
        command = [str(Path(sys.executable).with_name("llmtune")), *call]
        environment = {**os.environ, **self.environment}
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def command(shop, tmp_path):
    grants = [f"GRANT ALTER SYSTEM ON PARAMETER {name} TO tuner" for name in KNOBS]
    reload = "GRANT EXECUTE ON FUNCTION pg_reload_conf() TO tuner"
    shop.execute("CREATE ROLE tuner LOGIN", "GRANT pg_read_all_stats TO tuner", *grants, reload)
    yield Command(shop, tmp_path)
    shop.execute("DROP OWNED BY tuner", "DROP ROLE tuner")


def test_a_tuner_that_is_killed_in_a_window_leaves_nothing_behind(command, shop, traffic):
    process = command.started()
    while process.poll() is None and not shop.entries:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    seen = process.communicate(timeout=60)[1]
    assert shop.entries == ["enable_material = 'off'"], seen
    refused = command.call(*command.observing())
    assert (refused.exit_code, "llmtune restore" in refused.stderr) == (1, True)
    done = command.call("restore", "--store", command.store)
    assert done.exit_code == 0, done.stderr
    assert shop.entries == []
    assert shop.show("enable_material") == "on"
    check_it_can_go_on(command)


def check_it_can_go_on(command):
    store = SessionStore(command.store)
    (summary,) = store.sessions()
    request = continued(summary.record, store.journal(summary.record.id))
    assert (request.windows.window_s, request.windows.rollback) == (1.0, 5.0)
    assert request.knobs == KNOBS
    assert request.reference_ms == store.journal(summary.record.id)[0].trial.value > 0
    assert requests_of(summary.record)[0].target == command.address


def test_a_session_without_statements_says_what_it_began_with(command, shop, traffic):
    """The tuner may not read the application's tables, so that no statement is planned."""
    process = command.started("--warm-start", "nearest,default")
    said = ""
    while process.poll() is None and "Session " not in said:
        said += process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    said += process.communicate(timeout=60)[1]
    assert "The warm start is rules,default in place of nearest,default" in said
    (summary,) = SessionStore(command.store).sessions()
    assert summary.record.warm_start == "rules,default", said
    assert shop.entries == []


def test_a_dry_run_shows_what_would_be_done(command, shop, traffic):
    done = command.call(*command.observing("--dry-run"))
    assert done.exit_code == 0, done.stderr
    assert "ALTER SYSTEM SET \"enable_material\" = 'off';" in done.stdout
    assert 'ALTER SYSTEM RESET "enable_material";' in done.stdout
    assert '"pg_stat_statements"(false)' in done.stdout
    assert "nothing is run" in done.stdout
    assert "2 knobs set by ALTER SYSTEM and a reload" in done.stdout
    assert "SET LOCAL" not in done.stdout
    assert shop.entries == []
    assert not (command.folder / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--workload", "tpch"), "--workload says what to run"),
        (("--allow-writes",), "--allow-writes says what to run"),
        (("--allow-restart", "--restart-command", "true"), "leave out --allow-restart"),
        (("--target", "embedded"), "address of a server"),
        (("--window", "0.5s"), "at least, not 0.5"),
        (("--rollback-at", "soon"), "no percentage"),
        (("--optimizer", "plan"), "choose another"),
    ],
)
def test_what_does_not_go_with_observing_is_refused(command, options, said):
    done = command.call(*command.observing(*options))
    assert done.exit_code == 2, done.stderr
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_its_options_go_with_nothing_else(command):
    done = command.call("tune", "--target", command.address, "--window", "5s")
    assert done.exit_code == 2
    assert "--window goes with --observe" in done.stderr


def test_what_looks_at_statements_gives_way_to_the_rules():
    def without(*sources):
        parts = tuple(Part("file" if one.endswith(".json") else one) for one in sources)
        found = WarmStart(", ".join(sources), parts).without_statements()
        return found.source, [part.source for part in found.parts]

    assert without("model") == ("rules", ["rules"])
    assert without("model", "rules", "start.json") == ("rules,start.json", ["rules", "file"])
    assert without("default", "start.json") == ("default, start.json", ["default", "file"])
