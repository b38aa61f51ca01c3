"""`llmtune compare` on the recorded benchmark, from stored sessions, and what it refuses."""

import json

import pytest

from tests.cli.conftest import Run

SMALL = ("compare", "--recorded", "tpch", "--optimizer", "random", "--trials", 5, "--seeds", 2)
FILES = ("comparison.json", "arms.csv", "trials.csv", "curves.png", "curves.svg", "curves.html")


@pytest.fixture(scope="module")
def compared(run, tmp_path_factory):
    """A small comparison: its facts and its folder."""
    out = tmp_path_factory.mktemp("compared")
    warm = ("--warm-start", "nearest,rules", "--warm-start", "constant")
    return run(*SMALL, *warm, "--out", out, "--json").json, out


def values(facts) -> list:
    """What was tried and found, without the real seconds of asking."""
    return [
        [[(p["source"], p["status"], p["value"]) for p in one["points"]] for one in arm["runs"]]
        for arm in facts["arms"]
    ]


def test_a_recorded_comparison_is_labelled_and_complete(compared) -> None:
    facts, out = compared
    assert facts["basis"] == "recorded, not measured"
    assert [arm["label"] for arm in facts["arms"]] == [
        f"random, warm start {source}" for source in ("none", "nearest,rules", "constant")
    ]
    assert any("in-sample: nearest, constant" in note for note in facts["notes"])
    assert all((out / name).stat().st_size > 0 for name in FILES)
    sources = [point["source"] for point in facts["arms"][1]["runs"][0]["points"]]
    assert sources == ["default", "default", "nearest", "rules", "random"]


def test_more_jobs_find_the_same_and_nothing_is_repeated(compared, run: Run, tmp_path) -> None:
    facts, out = compared
    again = run(*SMALL, "--jobs", 2, "--out", tmp_path, "--json").json
    assert values(again) == values(facts)[:1]
    table = run(*SMALL, "--out", out)
    assert "2 sessions are done already" in table.message
    assert "recorded, not measured" in table.stdout


def test_stored_sessions_are_compared_and_started_from(compared, run: Run, tmp_path) -> None:
    original, out = compared
    store = f"sqlite:///{out / 'sessions.db'}"
    listed = run("sessions", "--store", store, "--json").json["sessions"]
    ids = ",".join(one["session"] for one in listed)
    facts = run("compare", "--sessions", ids, "--store", store, "--out", tmp_path, "--json").json
    assert facts["basis"] == "recorded, not measured"
    assert len(facts["arms"]) == 3
    assert set(original["notes"][:3]) < set(facts["notes"]), "what a recording is worth"
    for source in ("nearest", "constant"):
        assert any(one.startswith(f"in-sample: {source} learnt") for one in facts["notes"])
    several = ",".join(one["session"] for one in listed[:2])
    prior = ("--prior", several, "--store", store, "--out", tmp_path, "--json")
    started = run(*SMALL, *prior).json["arms"][1]
    assert started["label"] == "random, warm start prior"
    assert started["runs"][0]["points"][2]["source"] == "prior"
    assert len(started["runs"][0]["points"]) == 5


def test_keeping_few_knobs_is_an_arm_held_against_the_same_optimizer(run: Run, tmp_path) -> None:
    call = ("compare", "--recorded", "tpch", "--optimizer", "tpe", "--optimizer", "random")
    few = ("--trials", 23, "--seeds", 1, "--keep-knobs", 2, "--after", 18)
    facts = run(*call, *few, "--out", tmp_path, "--json").json
    plain, other, *narrowed = (arm["label"] for arm in facts["arms"])
    assert narrowed == [f"{one}, 2 knobs after 18 trials" for one in (plain, other)]
    assert [arm["against"] for arm in facts["arms"]] == [None, plain, plain, other]
    whole, part = (values(facts)[at][0] for at in (1, 3))
    assert whole[:18] == part[:18]
    assert whole[18:] != part[18:]
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    listed = run("sessions", "--store", store, "--json").json["sessions"]
    ids = ",".join(one["session"] for one in reversed(listed))
    again = run("compare", "--sessions", ids, "--store", store, "--out", tmp_path, "--json").json
    assert [(arm["label"], arm["against"]) for arm in again["arms"]] == [
        (arm["label"], arm["against"]) for arm in facts["arms"]
    ]


WRONG = {
    "no recording": (("--recorded", "nope"), "neither one of the recordings"),
    "no optimizer": (("--optimizer", "tpee"), "did you mean 'tpe'"),
    "no server to plan": (("--warm-start", "surrogate"), "a recorded benchmark has none"),
    "no one to read it": (
        ("--adapter", "a", "--base", "b"),
        "leave out --adapter, --base: no warm start here would look at it",
    ),
    "no one to ask": (("--warm-start", "nearest", "--base", "b"), "leave out --base: no warm"),
    "no server to look at": (
        ("--optimizer", "plan"),
        "optimizer plan asks a server for plans, and a recorded benchmark has none",
    ),
    "knobs kept too late": (("--keep-knobs", 2), "--keep-knobs decides after 20 trials"),
    "knobs kept too soon": (("--keep-knobs", 2, "--after", 3), "not after 3"),
    "after without knobs": (("--after", 20), "--keep-knobs K"),
    "all knobs together": (
        ("--optimizer", "plan", "--keep-knobs", 2, "--trials", 30),
        "cannot keep a few",
    ),
    "no source": (("--warm-start", "rules,mdel"), "'mdel' is none of model, rules"),
    "nothing to run": (
        ("--final-runs", 2, "--workload", "job", "--memory", "1GB"),
        "leave out --memory, --workload, --final-runs: a recorded benchmark asks no server",
    ),
    "seeds beyond": (("--seed", 2**32 - 2, "--seeds", 3), "go beyond 4294967295"),
    "two ways": (
        ("--sessions", "a"),
        "leave out --optimizer, --recorded, --trials, --seeds: --sessions runs nothing",
    ),
    "a store of nothing": (("--store", "sqlite://"), "keeps its sessions in the folder --out"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests_are_explained(case, run: Run, tmp_path) -> None:
    arguments, text = WRONG[case]
    done = run(*SMALL, "--out", tmp_path / "out", *arguments)
    assert done.exit_code == 2
    assert text in done.message
    assert "Fitting" not in done.message, "told before anything is made"
    assert not (tmp_path / "out").exists()


def test_jobs_mean_nothing_on_a_server(run: Run, tmp_path) -> None:
    done = run("compare", "--jobs", 2, "--out", tmp_path / "out")
    assert (done.exit_code, "leave out --jobs: on a server" in done.message) == (2, True)


LINES = {
    '{"work_mem": "64MB",\n "nonsense": 3}': "line 2: unknown knob 'nonsense'",
    '[{"geqo": "on"},\n\n {"geqo": "maybe"}]': "line 3: geqo",
    '{"work_mem": "64MB",\n "work_mem": "1MB"}': "'work_mem' stands twice",
    '["work_mem"]': "nor a list of such objects",
}


@pytest.mark.parametrize("content", LINES)
def test_a_wrong_warm_start_file_is_named_with_its_line(content, run: Run, tmp_path) -> None:
    file = tmp_path / "start.json"
    file.write_text(content)
    done = run(*SMALL, "--warm-start", file, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert f"{file}" in done.message
    assert LINES[content] in done.message


def test_a_list_is_tried_in_its_order(run: Run, tmp_path) -> None:
    file = tmp_path / "start.json"
    file.write_text(json.dumps([{"work_mem": "64MB"}, {"work_mem": "8MB"}, {"work_mem": "64MB"}]))
    facts = run(*SMALL, "--warm-start", file, "--out", tmp_path / "out", "--json").json
    sources = [point["source"] for point in facts["arms"][1]["runs"][0]["points"]]
    assert sources == ["default", "default", "file", "file", "random"]
