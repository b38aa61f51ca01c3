"""When one optimizer was as good as others: by the curves of a report, whatever is better."""

from __future__ import annotations

import pytest

from benchmarks.sooner import Searched, check, rows, searched, summary
from llmtune.knobs.configuration import Configuration
from llmtune.trial import Trial, TrialStatus
from llmtune.tuning.record import JournalEntry, Phase
from tests.benchmarks.conftest import cold_record
from workloads.objective import LATENCY, THROUGHPUT

SMALL = Configuration({"work_mem": 64})


def session(optimizer: str, *values: float | None, objective=LATENCY, seed: int = 0) -> Searched:
    """A trial every ten seconds, one of them spent on asking; final runs follow the search."""
    statuses = [TrialStatus.CRASHED if one is None else TrialStatus.SUCCEEDED for one in values]
    trials = [
        Trial(number, optimizer, SMALL, status, value, wall_s=9.0)
        for number, (status, value) in enumerate(zip(statuses, values, strict=True))
    ]
    journal = [JournalEntry(Phase.SEARCH, one, ask_s=1.0) for one in trials]
    finals = [JournalEntry(Phase.CONFIRM, trials[0], ask_s=1.0)]
    return searched(cold_record(optimizer, seed, objective), [*journal, *finals])


def told(*sessions: Searched) -> list[str]:
    ordered = sorted(sessions, key=lambda one: one.rank)
    return [*rows(ordered, "plan", {0}), *summary(ordered, "plan", {0})]


def test_seconds_count_until_the_other_s_best() -> None:
    lines = told(session("tpe", 8, None, 5), session("plan", 8, 5, 4))
    assert lines[2:4] == [
        "| 0 | plan | 4.00 s | 3 trials, 30 s | 30 s | 3 s | 0 | | |",
        "| 0 | tpe | 5.00 s | 3 trials, 30 s | 30 s | 3 s | 0 | 2 trials, 20 s | 0.67 |",
    ]
    assert lines[6:] == ["- tpe: median 0.67 (0.67)", "- the best of them: median 0.67 (0.67)"]


def test_more_may_be_better() -> None:
    lines = told(
        session("gp", 100, 400, objective=THROUGHPUT),
        session("tpe", 100, 200, 150, objective=THROUGHPUT),
        session("plan", 100, 150, 300, objective=THROUGHPUT),
    )
    assert [line.split(" | ")[1:3] for line in lines[2:5]] == [
        ["gp", "400.00 transactions/s"],
        ["plan", "300.00 transactions/s"],
        ["tpe", "200.00 transactions/s"],
    ]
    assert lines[2].endswith("| never | |")
    assert lines[4].endswith("| 3 trials, 30 s | 1.00 |")


def test_a_folder_that_does_not_tell_is_refused() -> None:
    sessions = [session("plan", 8, 4), session("tpe", 8, 5), session("tpe", 8, 5, seed=1)]
    check(sessions, "plan", {0})
    with pytest.raises(SystemExit, match=r"no session of 'plan' has seed 1; .* of plan, tpe"):
        check(sessions, "plan", {0, 1})
    with pytest.raises(SystemExit, match="2 sessions of tpe with seed 0"):
        check([*sessions, session("tpe", 8, 6)], "plan", {0})
    with pytest.raises(SystemExit, match="plan-0 has no trial that succeeded"):
        session("plan", None)
