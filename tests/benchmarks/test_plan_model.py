"""What `plan`'s model is judged by: search trials, each configuration once, enough learnt."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from benchmarks.plan_model import (
    LOOKS_BEST,
    Measured,
    looked_at,
    numbered,
    rest_of,
    scores,
    stored,
    table,
)
from llmtune.knobs.configuration import Configuration
from llmtune.trial import QueryTime, Trial, TrialStatus
from llmtune.tuning.record import JournalEntry, Phase
from llmtune.tuning.store import SessionStore
from optimizers.plan import PLANNED_TABLES
from optimizers.plan_model import BELIEVED
from optimizers.query_rows import Rest
from tests.benchmarks.conftest import cold_record


def trial(number: int, size: int, *, reused: bool = False) -> Trial:
    times = (QueryTime("q1", 1.0, reused),)
    configuration = Configuration({"work_mem": size})
    return Trial(number, "tpe", configuration, TrialStatus.SUCCEEDED, 1.0, times, wall_s=1.0)


def facts(*sessions: list[int]) -> Measured:
    """Sessions of trials with these configurations' numbers: one planned query, and others."""
    configurations = np.array([one for session in sessions for one in session])
    numbers = np.repeat(np.arange(len(sessions)), [len(session) for session in sessions])
    tables = np.random.default_rng(0).uniform(size=(len(configurations), 1, 2))
    return Measured(
        tables,
        points=tables[:, 0],
        logs=tables[:, :, 1],
        rest=Rest(0.25, tables[:, 0, 0]),
        shares=np.ones(1),
        configurations=configurations,
        sessions=numbers,
    )


def test_final_runs_and_reused_times_are_left_out(tmp_path: Path) -> None:
    searched = [trial(0, 64), trial(1, 128, reused=True), trial(2, 256)]
    journal = [JournalEntry(Phase.SEARCH, one) for one in searched]
    store = SessionStore(f"sqlite:///{tmp_path / 'sessions.db'}")
    store.keep(cold_record("tpe"), [*journal, JournalEntry(Phase.CONFIRM, trial(3, 256))])
    store.close()
    assert [[one.number for one in session] for session in stored(tmp_path)] == [[0, 2]]


def test_a_configuration_is_judged_once_and_only_if_it_was_not_learnt() -> None:
    two = facts([0, 1, 2, 1], [0, 3, 3, 1, 2])
    learnt, unseen = two.split(0, 2)
    assert (learnt.tolist(), unseen.tolist()) == ([0, 1], [5, 8])
    alone = facts([0, 1, 2, 1, 3, 0])
    learnt, unseen = alone.split(0, 2)
    assert (learnt.tolist(), unseen.tolist()) == ([0, 1], [2, 4])


def test_trials_of_one_configuration_have_one_number() -> None:
    trials = [trial(0, 64), trial(1, 8), trial(2, 4), trial(3, 8)]
    assert numbered(trials, Configuration({"work_mem": 64})).tolist() == [0, 1, 2, 1]


def test_a_row_needs_as_many_trials_in_each_session() -> None:
    others = count(1)
    short = [0, *(next(others) for _ in range(LOOKS_BEST))]
    long = [0, *(next(others) for _ in range(20))]
    rows = [line.split(" | ")[0] for line in list(table(facts(short, long)))[2:]]
    assert rows == ["| none", "| 3", "| 5"]


def test_the_queries_are_those_that_plan_looks_at() -> None:
    amounts = {"light": 1.0, "heavy": 9.0, "middle": 5.0}
    tables = {"light": 1, "heavy": PLANNED_TABLES - 9, "middle": 9}
    assert looked_at(tables, amounts) == ["heavy", "middle"]
    assert looked_at({**tables, "heavy": PLANNED_TABLES + 1}, amounts) == ["heavy"]


def foretold(rest: Rest) -> Measured:
    """A session in which the planned query's time follows its plan's effort, as believed."""
    made = facts(list(range(3 * LOOKS_BEST)))
    rises = np.linspace(0.0, 1.0, len(made.sessions))
    tables = np.stack([rises / BELIEVED, rises], axis=1)[:, None]
    return replace(made, tables=tables, points=rises[:, None], logs=rises[:, None], rest=rest)


def test_totals_are_of_all_queries() -> None:
    """What the planned query loses the others gain, and they have nine times its share."""
    rises = np.linspace(0.0, 1.0, 3 * LOOKS_BEST)
    planned = foretold(Rest(0.0, np.full(len(rises), np.nan)))
    assert scores(planned, 0, 0) == pytest.approx((1.0, 1.0, 2 / (len(rises) - 1)))
    whole = foretold(Rest(0.9, -rises))
    variance, rank, place = scores(whole, 0, 0)
    assert variance == pytest.approx(1.0)
    assert rank == pytest.approx(-1.0)
    assert place > 0.7, "what looks best is worst"


def test_the_others_are_foretold_from_the_knobs() -> None:
    rises = np.linspace(0.0, 1.0, 3 * LOOKS_BEST)
    whole = foretold(Rest(0.9, -rises))
    others = replace(whole, sessions=np.arange(len(rises)) % 2)
    _, rank, _ = scores(others, 0, 8)
    assert rank > 0.5


def test_the_rest_is_what_is_not_planned() -> None:
    spent = np.array([[1.0, 3.0, 5.0], [2.0, 2.0, 2.0]])
    rest = rest_of(spent, spent[0], np.array([True, False, False]))
    assert rest.share == pytest.approx(8 / 9)
    assert rest.logs == pytest.approx([0.0, np.log(0.5)])
    assert rest_of(spent, spent[0], np.ones(3, dtype=bool)).share == 0.0
