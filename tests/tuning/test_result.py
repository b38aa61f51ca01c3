import json
from dataclasses import replace
from pathlib import Path

import pytest

from llmtune.cli.session_run import written_in
from llmtune.errors import SessionError, UsageError
from llmtune.tuning.assemble import assemble, knob_changes, weights_of
from llmtune.tuning.circumstances import Circumstances
from llmtune.tuning.result_file import read_result, ready_folder, write_result
from llmtune.tuning.session import TuningSession

FIELDS = {
    "session", "target", "workload", "hardware", "optimizer", "warm_start", "objective",
    "default", "best", "improvement", "trials", "wall_s", "measured_s", "suggest_s",
    "overhead", "knobs",
}  # fmt: skip


@pytest.fixture
def result(evaluator, store, make_record, space):
    clock = iter(range(1000))
    circumstances = Circumstances(restart_clock=lambda: next(clock) / 4)
    session = TuningSession.start(evaluator, store, make_record(trials=12), circumstances)
    return assemble(session.run(), space)


def test_the_file_has_the_contracts_fields(result, tmp_path):
    stored = json.loads(write_result(tmp_path, result).read_text())
    assert stored.keys() >= FIELDS
    assert stored["objective"] == {"name": "latency", "unit": "s", "direction": "minimize"}
    assert stored["default"].keys() >= {"value", "ci95"}
    assert stored["best"].keys() >= {"value", "ci95", "configuration", "restart_required"}
    assert stored["improvement"].keys() >= {"ratio", "ci95", "significant"}
    assert stored["overhead"].keys() == {"ratio", "restart_s", "apply_s", "ask_s", "suggest_s"}
    trial = {"number", "source", "status", "value", "wall_s", "measured_s", "configuration"}
    assert all(stored_trial.keys() >= trial for stored_trial in stored["trials"])


def test_a_result_reads_back_as_written(result, tmp_path):
    write_result(tmp_path, result)
    assert read_result(tmp_path) == result


def test_the_knobs_importance_is_told_from_enough_trials_and_read_back(
    evaluator, store, make_record, space, tmp_path
):
    session = TuningSession.start(evaluator, store, make_record(trials=25))
    outcome = session.run()
    result = assemble(outcome, space)
    assert {one.name for one in result.importance} == set(space.names)
    write_result(tmp_path, result)
    assert read_result(tmp_path) == result
    assert weights_of(outcome.record, outcome.entries) == result.importance
    other = replace(outcome.record, catalogue_hash="other")
    assert weights_of(other, outcome.entries) == ()


def test_a_result_from_before_importance_reads_without_it(result, tmp_path):
    fields = json.loads(result.to_json())
    del fields["importance"]
    (tmp_path / "result.json").write_text(json.dumps(fields))
    assert read_result(tmp_path).importance == ()


def test_only_the_result_is_left_in_the_folder(result, tmp_path):
    write_result(tmp_path, result)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_the_seconds_add_up(result):
    overhead = result.overhead
    parts = overhead.restart_s + overhead.apply_s + overhead.ask_s + overhead.suggest_s
    assert parts + result.measured_s == pytest.approx(result.wall_s)
    assert overhead.ratio == pytest.approx(parts / result.wall_s)
    assert overhead.restart_s == pytest.approx(len(result.trials) / 4)


def test_changes_are_shown_in_human_form(space):
    configuration = space.configuration({"work_mem": 65536, "jit": False})
    memory, jit = knob_changes(configuration, space)
    assert (memory.default_text, memory.best_text, memory.effect) == ("4MB", "64MB", "session")
    assert (jit.default_text, jit.best_text) == ("on", "off")
    assert memory.why


def test_a_restart_is_required_when_a_changed_knob_needs_one(result):
    restarting = any(knob.effect == "restart" for knob in result.knobs)
    assert result.best.restart_required is restarting


def test_a_damaged_result_is_a_clear_error(tmp_path):
    (tmp_path / "result.json").write_text('{"schema_version": 1}')
    with pytest.raises(SessionError, match="no result"):
        read_result(tmp_path)


def test_a_result_that_is_no_text_is_damaged_and_not_written(tmp_path):
    (tmp_path / "result.json").write_bytes(b'{"session": "\xff"}')
    with pytest.raises(SessionError, match=r"result\.json is damaged"):
        read_result(tmp_path)
    assert written_in(tmp_path) is None


def test_a_missing_result_is_the_users_mistake(tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        read_result(tmp_path)


def test_a_ready_folder_is_made_and_left_empty(tmp_path):
    folder = ready_folder(tmp_path / "a" / "b")
    assert list(folder.iterdir()) == []


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="output folder"):
        ready_folder(tmp_path / "out")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system that refuses")
def test_a_folder_that_cannot_be_written_is_refused():
    with pytest.raises(UsageError, match="give another"):
        ready_folder(Path("/proc/self"))
