"""`--spare` takes names of savings, and is refused where nothing is run."""

from dataclasses import asdict

import pytest

from llmtune.benchmark.cheap import (
    ALL_SAVINGS,
    FULL_TRIALS,
    ONLY_CAPPED,
    CheapTrials,
    parse_savings,
    savings_text,
)
from llmtune.errors import UnknownName
from llmtune.tuning.plan import Plan, plan_from


def test_it_is_refused_on_a_recorded_benchmark(run, tmp_path):
    done = run("compare", "--recorded", "tpch", "--spare", "all", "--out", tmp_path)
    assert done.exit_code == 2
    assert "leave out --spare: a recorded benchmark asks no server" in done.message


def test_restarts_are_not_spared_where_sessions_take_turns(run, tmp_path):
    done = run("compare", "--spare", "warm,restarts", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "--spare: leave out restarts; the sessions take turns" in done.message


@pytest.mark.parametrize("command", ["tune", "compare"])
def test_an_unknown_saving_is_named_before_anything_is_opened(run, tmp_path, command):
    done = run(command, "--spare", "warm,sleep", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "sleep" in done.message
    assert "restarts" in done.message


@pytest.mark.parametrize("text", ["all", "none", "warm,reuse", "cap", "cap,bounds"])
def test_savings_are_told_as_they_are_asked_for(text):
    assert savings_text(parse_savings(text)) == text


def test_savings_go_alone_together_or_not_at_all():
    assert parse_savings("all") == ALL_SAVINGS
    assert parse_savings("none") == FULL_TRIALS
    assert parse_savings("warm, reuse") == CheapTrials(cap=False, skip_warm=True, reuse=True)
    everything = parse_savings("cap,order,bounds,warm,restarts,reuse")
    assert everything == ALL_SAVINGS
    with pytest.raises(UnknownName, match="skip_warm"):
        parse_savings("skip_warm")


@pytest.mark.parametrize(("text", "capped"), [("none", False), ("reuse", False), ("order", True)])
def test_what_helps_to_reach_the_cap_brings_it(text, capped):
    assert parse_savings(text).cap is capped


def test_sessions_of_before_the_cap_could_be_left_out_were_capped():
    stored = asdict(Plan(cheap=FULL_TRIALS))
    assert plan_from(stored).cheap == FULL_TRIALS
    del stored["cheap"]["cap"]
    assert plan_from(stored).cheap == ONLY_CAPPED
