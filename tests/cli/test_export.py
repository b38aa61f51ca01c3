"""A finished session's answer from the store alone: `llmtune export`, and `resume` of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import pytest

from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.originals import Originals, ServerIdentity
from llmtune.tuning.record import SessionStatus
from llmtune.tuning.restore_points import PointState, RestorePoints
from llmtune.tuning.result_file import read_result
from llmtune.tuning.store import SessionStore
from tests.cli.conftest import Run

SLEEP = "SELECT pg_sleep(CASE current_setting('work_mem') WHEN '16MB' THEN 0.001 ELSE 0.03 END);"
WRITTEN = {"result.json", "best.conf", "report.html", "curve.png"}


@dataclass(frozen=True)
class Finished:
    """A session that is done, and what it wrote."""

    id: str
    out: Path
    store: str

    def text(self, name: str) -> str:
        return (self.out / name).read_text()


@pytest.fixture(scope="module", params=["embedded", "live"])
def finished(request, run: Run, embedded: EmbeddedTarget, tmp_path_factory) -> Iterator[Finished]:
    """A session of which `work_mem` is the answer, on a server of our own and on another's."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "sleep.sql").write_text(SLEEP)
    (folder / "guess.json").write_text(json.dumps({"work_mem": "16MB"}))
    where = ("--data-set", "tpch", "--scale", "0.01")
    if request.param == "live":
        with embedded.connect() as connection:
            connection.execute("ALTER SYSTEM SET work_mem = '7MB'")
            connection.execute("SELECT pg_reload_conf()")
            address = f"postgresql://postgres@/postgres?host={connection.info.host}"
        where = ("--target", address, "--cores", "2", "--memory", "1GB")
    out, store = folder / "out", f"sqlite:///{folder / 'sessions.db'}"
    files = ("--workload", folder / "sleep.sql", "--warm-start", folder / "guess.json")
    call = ("tune", *where, *files, "--trials", "3", "--spare", "none", "--out", out)
    done = run(*call, "--store", store, "--json").json
    assert done["improvement"]["improved"]
    assert [(one["name"], one["best_text"]) for one in done["knobs"]] == [("work_mem", "16MB")]
    yield Finished(done["session"], out, store)
    embedded.recover()


@pytest.fixture
def alone(run: Run, finished: Finished, tmp_path: Path) -> Run:
    """The command line on the session's store, where no server can be started."""

    def call(*arguments: object):
        nowhere = tmp_path / "nowhere"
        done = run(*arguments, "--store", finished.store, LLMTUNE_CACHE=str(nowhere))
        assert not nowhere.exists()
        return done

    return call


def test_the_result_is_the_one_that_was_written(alone: Run, finished: Finished) -> None:
    for asked in ("--json",), ("--format", "json"):
        done = alone("export", finished.id[:8], *asked)
        assert (done.stdout, done.stderr) == (finished.text("result.json"), "")
    baseline = json.loads(done.stdout)["knobs"][0]
    assert (baseline["baseline"], baseline["default_text"]) in {
        ("default", "4MB"),
        ("current", "7MB"),
    }


def test_the_answer_is_lines_for_postgresql_conf(alone: Run, finished: Finished) -> None:
    done = alone("export", finished.id)
    assert (done.stdout, done.stderr) == (finished.text("best.conf"), "")
    assert done.stdout.endswith("work_mem = '16MB'\n")


def test_the_answer_is_statements_that_postgresql_runs(
    alone: Run, finished: Finished, embedded: EmbeddedTarget
) -> None:
    statements = alone("export", finished.id, "--format", "sql").stdout.splitlines()
    assert statements[-2:] == ["ALTER SYSTEM SET work_mem = '16MB';", "SELECT pg_reload_conf();"]
    with embedded.connect() as connection:
        for line in statements:
            connection.execute(line.encode())
        entry = "SELECT setting FROM pg_file_settings WHERE name = 'work_mem' AND applied"
        assert connection.execute(entry).fetchone() == ("16MB",)
    embedded.recover()


def test_the_trials_are_rows(alone: Run, finished: Finished) -> None:
    done = alone("export", finished.id, "--format", "csv")
    rows = list(csv.DictReader(StringIO(done.stdout, newline="")))
    for row, trial in zip(rows, read_result(finished.out).trials, strict=True):
        assert (row["status"], row["phase"]) == (trial.status, trial.phase)
        assert float(row["value"]) == trial.value
        assert int(row["knob.work_mem"]) == trial.configuration["work_mem"]


@pytest.mark.parametrize("name", ["again", "sf0.3"])
def test_a_folder_gets_all_that_tune_writes(alone: Run, finished: Finished, tmp_path, name) -> None:
    out = tmp_path / name
    done = alone("export", finished.id, "--out", out)
    assert (done.exit_code, "better latency than" in done.stdout) == (0, True), done.stderr
    assert {path.name for path in out.iterdir()} == WRITTEN
    for file in WRITTEN - {"curve.png", "report.html"}:
        assert (out / file).read_text() == finished.text(file)


@pytest.mark.parametrize(
    ("out", "options", "name", "begins"),
    [
        ("mine.sql", (), "mine.sql", "-- "),
        ("mine.conf", (), "mine.conf", "# "),
        ("mine.txt", ("--format", "csv"), "mine.txt", "session,"),
        (".", ("--format", "sql"), "best.sql", "-- "),
        (".", ("--json",), "result.json", "{"),
    ],
)
def test_it_is_written_where_it_is_wanted(
    alone: Run, finished: Finished, tmp_path, out, options, name, begins
) -> None:
    done = alone("export", finished.id, "--out", tmp_path / out, *options)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.strip() in ("", f"Written: {tmp_path / name}")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text().startswith(begins)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--json", "--format", "sql"), "leave one of --json and --format sql out"),
        (("--out", "mine.txt"), "say what mine.txt is to hold: --format conf, sql, json, csv"),
        (("--out", "/proc/self/nosuch/x.csv"), "name another file with --out"),
        (("--out", "/proc/self/nosuch/x"), "give another one"),
    ],
)
def test_what_cannot_be_meant_is_refused(alone: Run, finished: Finished, options, said) -> None:
    done = alone("export", finished.id, *options)
    assert (done.exit_code, said in done.message) == (2, True), done.message


def test_without_an_answer_the_trials_are_there(alone: Run, finished: Finished, tmp_path) -> None:
    store = SessionStore(finished.store)
    try:
        store.mark(finished.id, SessionStatus.INTERRUPTED, "the power went")
        done = alone("export", finished.id, "--out", tmp_path / "out")
        assert done.exit_code == 1
        assert "has no answer yet: it was interrupted (the power went)" in done.message
        assert f"`llmtune resume {finished.id} --store" in done.message
        assert not (tmp_path / "out").exists()
        assert alone("export", finished.id, "--format", "csv").exit_code == 0
    finally:
        store.mark(finished.id, SessionStatus.FINISHED)


def test_an_answer_that_is_not_proven_is_called_so(run: Run, finished: Finished, tmp_path) -> None:
    store = SessionStore(finished.store)
    record, journal = store.summary(finished.id).record, store.journal(finished.id)
    slow = [
        entry
        if entry.phase != "confirm"
        else replace(entry, trial=replace(entry.trial, value=1.0 + entry.trial.number / 1000))
        for entry in journal
    ]
    other = f"sqlite:///{tmp_path / 'sessions.db'}"
    SessionStore(other).keep(record, slow)
    done = run("export", finished.id, "--format", "sql", "--store", other)
    assert done.exit_code == 0
    assert "Keep the" in done.message
    assert "-- No" in done.stdout


@pytest.fixture
def kept(finished: Finished, tmp_path: Path) -> tuple[SessionStore, Path]:
    """A store with the session twice, as `earlier` and `later`, that share a folder."""
    known = SessionStore(finished.store)
    record, journal = known.summary(finished.id).record, known.journal(finished.id)
    store, out = SessionStore(f"sqlite:///{tmp_path / 'sessions.db'}"), tmp_path / "shared"
    for name in ("earlier", "later"):
        store.keep(replace(record, id=name, origin=replace(record.origin, out=out)), journal)
    return store, out


def test_a_finished_session_is_written_where_it_is_missing(run: Run, kept, tmp_path) -> None:
    store, out = kept
    nowhere = {"LLMTUNE_CACHE": str(tmp_path / "nowhere")}
    shut = ("--target", "postgresql://me@127.0.0.1:1/db", "--store", store.name)
    for name in ("earlier", "later"):
        assert run("resume", name, *shut, "--json", **nowhere).json["session"] == name
        assert read_result(out).session == name
    again = run("resume", "later", *shut)
    assert (again.exit_code, "nothing to resume" in again.message) == (1, True)
    refused = run("resume", "earlier", *shut)
    assert refused.exit_code == 1
    assert f"{out} has the result of later now; `llmtune export earlier" in refused.message
    assert read_result(out).session == "later"
    assert run("resume", "earlier", *shut, "--out", tmp_path / "mine").exit_code == 0
    assert read_result(tmp_path / "mine").session == "earlier"
    assert {one.status for one in store.sessions()} == {SessionStatus.FINISHED}


def test_another_optimizer_has_nothing_to_propose_to_it(run: Run, kept) -> None:
    store, out = kept
    done = run("resume", "later", "--optimizer", "random", "--store", store.name)
    assert (done.exit_code, "--optimizer has nothing to propose" in done.message) == (2, True)
    assert not out.exists()


def test_what_it_left_on_its_server_is_said(run: Run, kept) -> None:
    store, _ = kept
    RestorePoints(store).keep("later", Originals(ServerIdentity("7", "postgresql://me@db/x"), {}))
    for name, said in (("earlier", False), ("later", True)):
        done = run("resume", name, "--store", store.name)
        assert (done.exit_code, "llmtune restore later" in done.message) == (0, said)
        assert ("still has settings of the run later" in done.message) is said


@pytest.mark.parametrize("finished", ["embedded"], indirect=True)
def test_what_was_to_be_applied_is_left_to_the_user(run: Run, kept, tmp_path) -> None:
    store, _ = kept
    record, points = store.summary("later").record, RestorePoints(store)
    points.keep("applied", Originals(ServerIdentity("7", "postgresql://me@db/x"), {}))
    points.mark("applied", PointState.KEPT)
    for name in ("unasked", "applied", "finished", "stopped"):
        asked = replace(record.origin, apply=name != "unasked")
        store.keep(replace(record, id=name, origin=asked), store.journal("later"))
        if name == "stopped":
            store.mark(name, SessionStatus.INTERRUPTED)
        done = run("resume", name, "--store", store.name, "--out", tmp_path / name)
        assert done.exit_code == 0, done.stderr
        said = f"resume` applies nothing; `llmtune export {name} --format sql --store"
        assert (said in done.message) is (name in ("finished", "stopped"))
