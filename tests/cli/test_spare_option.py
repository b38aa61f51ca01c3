"""`--spare` takes names of savings, and is refused where nothing is run."""

import pytest

from llmtune.benchmark.cheap import (
    ALL_SAVINGS,
    FULL_TRIALS,
    CheapTrials,
    parse_savings,
    savings_text,
)
from llmtune.errors import UnknownName


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


@pytest.mark.parametrize("text", ["all", "none", "warm,reuse"])
def test_savings_are_told_as_they_are_asked_for(text):
    assert savings_text(parse_savings(text)) == text


def test_savings_go_alone_together_or_not_at_all():
    assert parse_savings("all") == ALL_SAVINGS
    assert parse_savings("none") == FULL_TRIALS
    assert parse_savings("warm, reuse") == CheapTrials(skip_warm=True, reuse=True)
    everything = parse_savings("order,bounds,warm,restarts,reuse")
    assert everything == ALL_SAVINGS
    with pytest.raises(UnknownName, match="skip_warm"):
        parse_savings("skip_warm")
