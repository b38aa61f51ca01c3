"""Every command on real servers, from data generation to a tuned configuration."""

from __future__ import annotations

import json
import shutil
import signal

import pytest

from datagen.pairs import read_pairs
from llmtune.tuning.result_file import read_result
from tests.cli.conftest import FEW, TINY

STOPPED = "stopped by Ctrl-C or a signal"
INTERRUPTED = ("tune", *TINY, "--warm-start", "rules", "--trials", "4")


def session_id(stderr: str) -> str:
    return stderr.split("Session ")[1].split(maxsplit=1)[0]


@pytest.fixture(scope="module")
def interrupted(start, tmp_path_factory):
    """A session after Ctrl-C in the middle of its third trial: its end, id and folder."""
    out = tmp_path_factory.mktemp("tuned")
    process = start(*INTERRUPTED, "--out", out)
    process.wait_for("search   1")
    ended = process.send(signal.SIGINT)
    return ended, session_id(ended.stderr), out


@pytest.fixture(scope="module")
def resumed(interrupted, run):
    _, session, out = interrupted
    return run("resume", session, "--json"), out


def test_ctrl_c_says_how_to_go_on(interrupted) -> None:
    ended, session, out = interrupted
    assert ended.exit_code == 1
    assert f"llmtune resume {session}" in ended.message
    assert not (out / "result.json").exists()


def test_an_interrupted_session_says_why(interrupted, run) -> None:
    _, session, _ = interrupted
    (stored,) = (o for o in run("sessions", "--json").json["sessions"] if o["session"] == session)
    assert (stored["status"], stored["message"]) == ("interrupted", STOPPED)
    assert f"{session} was interrupted: {STOPPED}" in run("sessions").stdout
    assert f"Interrupted: {STOPPED}" in run("show", session).stdout


def test_ctrl_c_leaves_no_server_and_no_setting(interrupted, check_clean) -> None:
    check_clean()


def test_a_resumed_session_ends_with_its_result_where_it_was_asked_for(resumed) -> None:
    done, out = resumed
    found = read_result(out)
    assert json.loads(found.to_json()) == done.json
    assert [one.source for one in found.trials[:4]] == ["default", "default", "rules", "tpe"]
    assert [one.number for one in found.trials] == list(range(len(found.trials)))
    for name in ("best.conf", "report.html", "curve.png"):
        assert (out / name).stat().st_size > 0


def test_a_finished_session_is_shown_and_not_resumed(resumed, run) -> None:
    session = resumed[0].json["session"]
    listed = {one["session"]: one for one in run("sessions", "--json").json["sessions"]}
    assert (listed[session]["status"], listed[session]["message"]) == ("finished", "")
    shown = run("show", session, "--json").json["trials"]
    assert shown == resumed[0].json["trials"]
    assert len(run("show", session).stdout.splitlines()) == len(shown) + 2
    again = run("resume", session)
    assert (again.exit_code, "is finished" in again.message) == (1, True)


def test_a_session_starts_from_what_another_one_saw(resumed, run, tmp_path) -> None:
    earlier = resumed[0].json["session"]
    wanted = ("--warm-start", "none", "--trials", "3", "--prior", earlier, "--out", tmp_path)
    started = run("tune", *TINY, *wanted, "--json")
    best = min(resumed[0].json["trials"][:4], key=lambda one: one["value"])
    third = started.json["trials"][2]
    assert started.exit_code == 0
    # Its best is tried again, unless that was the default, which is tried anyway.
    assert third["source"] == ("tpe" if best["source"] == "default" else "prior")
    other = run("tune", *TINY, "--scale", "0.02", *wanted)
    assert (other.exit_code, "differ in workload" in other.message) == (2, True)


def test_sigterm_and_an_impatient_ctrl_c_put_the_server_away(
    start, run, check_clean, tmp_path
) -> None:
    process = start("tune", *TINY, "--warm-start", "none", "--trials", "3", "--out", tmp_path)
    process.wait_for("search   0")
    ended = process.send(signal.SIGTERM, signal.SIGINT)
    assert ended.exit_code == 1
    assert f"llmtune resume {session_id(ended.stderr)}" in ended.message
    check_clean()


def test_data_generation_goes_on_where_it_stands(generated, run) -> None:
    runs = {path: path.stat().st_mtime_ns for path in (generated / "matrix").iterdir()}
    again = run("datagen", *TINY, *FEW, "--out", generated)
    assert again.stdout.startswith(f"{len(runs)} runs, ")
    assert "12 pairs" in again.stdout
    pairs = [*read_pairs(generated / "pairs.jsonl"), *read_pairs(generated / "held_out.jsonl")]
    repeated = sum(pair.metadata["repeats"] > 1 for pair in pairs)
    assert f"the labels of {repeated} measured more than once" in again.stdout
    assert "somewhat too good" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in runs} == runs


def test_data_generation_heeds_what_is_held_out_already(generated, run, tmp_path) -> None:
    out = shutil.copytree(generated, tmp_path / "out")
    (out / "held_out.jsonl").write_text("{")
    done = run("datagen", *TINY, *FEW, "--out", out)
    assert (done.exit_code, "held_out.jsonl, line 1: not JSON" in done.message) == (1, True)


def test_data_generation_of_another_seed_is_refused(generated, run) -> None:
    done = run("datagen", *TINY, "--sampled", 6, "--seed", 1, "--out", generated)
    assert done.exit_code == 1
    assert "name another output folder" in done.message


def test_an_adapter_is_scored_on_held_out_pairs(adapter, tiny, generated, run) -> None:
    call = ("evaluate", generated, "--adapter", adapter, "--base", tiny.path)
    found = run(*call, "--json").json
    assert found["tuned"].keys() == found["base"].keys() > {"nll", "accuracy"}
    assert found["answers"]["tuned"]["prompts"] == min(12, found["answers"]["different"])
    assert (found["unknown_knobs"], found["dropped_labels"]) == ([], 0)
    control = 1 - found["tuned"]["changed"] / found["tuned"]["labels"]
    assert found["all_default"] == {"accuracy": control}
    shown = run(*call, "--answers", 1).stdout
    assert "for 1 of" in shown
    assert "own_" not in run(*call, "--answers", 0).stdout


def test_what_training_pairs_share_stops_training_and_no_evaluation(
    adapter, tiny, generated, run, tmp_path
) -> None:
    out = shutil.copytree(generated, tmp_path / "out")
    held_out = (out / "held_out.jsonl").read_text()
    training = held_out.replace('"split": "held_out"', '"split": "train"')
    assert training != held_out
    (out / "pairs.jsonl").write_text(training)
    call = ("evaluate", out, "--adapter", adapter, "--base", tiny.path)
    assert run(*call, "--answers", "0", "--json").json["tuned"]["labels"] > 0
    refused = run("train", out, "--base", tiny.path, "--out", tmp_path / "adapter")
    assert (refused.exit_code, "hold out what others train on" in refused.message) == (1, True)


def test_a_suggestion_is_printed_for_the_server(adapter, tiny, run) -> None:
    call = ("suggest", *TINY, "--adapter", adapter, "--base", tiny.path)
    assert run(*call).stdout.startswith("# Suggested by LLMTune for tpch-sf0.01-seed0")


def test_all_candidates_are_printed_as_json(adapter, tiny, run) -> None:
    call = ("suggest", *TINY, "--adapter", adapter, "--base", tiny.path, "--candidates", 3)
    suggestions = run(*call, "--json").json["suggestions"]
    assert 1 <= len(suggestions) <= 3


@pytest.mark.parametrize(
    ("workload", "said"),
    [
        (("--workload", "tpch", "--scale", "0.02"), "this command loads nothing"),
        (("--workload", "synthesized", "--data-set", "tpch"), "made by running each query once"),
        ((), "say what your server is for by --workload"),
    ],
)
def test_a_suggestion_for_a_server_loads_and_runs_nothing(
    workload, said, embedded, adapter, tiny, run
) -> None:
    with embedded.connect() as connection:
        query = "SELECT array_agg(datname) FROM pg_database"
        before = connection.execute(query).fetchone()
        where = ("--target", f"postgresql://postgres@/postgres?host={connection.info.host}")
        done = run("suggest", *where, *workload, "--adapter", adapter, "--base", tiny.path)
        assert connection.execute(query).fetchone() == before
    assert (done.exit_code, said in done.message) == (2, True), done.message


def test_a_suggestion_for_a_server_reads_what_is_there(
    embedded, tpch_tiny, adapter, tiny, run, tmp_path
) -> None:
    (tmp_path / "mine.sql").write_text("SELECT count(*) FROM lineitem;")
    with embedded.connect() as connection:
        where = ("--target", f"postgresql://postgres@/{tpch_tiny}?host={connection.info.host}")
    call = ("suggest", *where, "--adapter", adapter, "--base", tiny.path)
    done = run(*call, "--workload", tmp_path / "mine.sql")
    assert done.stdout.startswith("# Suggested by LLMTune for mine"), done.message
    assert " by restart" in done.message, "it changes nothing, so no restart is in the way"


def test_a_comparison_repeats_nothing(run, tmp_path) -> None:
    call = ("compare", *TINY, "--warm-start", "rules", "--trials", 3, "--seeds", 2)
    call = (*call, "--final-runs", 1)
    facts = run(*call, "--out", tmp_path, "--json").json
    assert facts["seeds"] == [0, 1]
    assert [len(arm["runs"]) for arm in facts["arms"]] == [2, 2]
    assert (tmp_path / "curves.png").stat().st_size > 0
    assert [len(one["again"]) for arm in facts["arms"] for one in arm["runs"]] == [1] * 4
    again = run(*call, "--out", tmp_path)
    assert "4 sessions are done already" in again.message
    assert "search" not in again.message
    assert json.loads((tmp_path / "comparison.json").read_text()) == facts


def test_a_comparison_says_what_was_learnt_from_its_own_data(adapter, run, tmp_path) -> None:
    call = ("compare", *TINY, "--warm-start", "nearest", "--adapter", adapter, "--trials", 2)
    done = run(*call, "--seeds", 1, "--final-runs", 0, "--out", tmp_path, "--json")
    said = "in-sample: nearest learnt from measurements of tpch-sf0.01 itself"
    assert said in done.json["notes"]


def test_a_server_behind_an_address_keeps_its_settings(embedded, run, tmp_path) -> None:
    with embedded.connect() as connection:
        connection.execute("ALTER SYSTEM SET autovacuum_naptime = '77s'")
        target = f"postgresql://postgres@/postgres?host={connection.info.host}"
    where = ("--target", target, "--workload", "tpch", *TINY)
    call = ("compare", *where, "--warm-start", "rules", "--trials", "3")
    facts = run(*call, "--seeds", "1", "--final-runs", "0", "--out", tmp_path, "--json").json
    sources = {point["source"] for arm in facts["arms"] for point in arm["runs"][0]["points"]}
    assert sources == {"default", "rules", "tpe"}
    settings = (embedded.data_folder / "postgresql.auto.conf").read_text()
    embedded.recover()
    assert [line for line in settings.splitlines() if line[:1] not in "#"] == [
        "autovacuum_naptime = '77s'"
    ]
