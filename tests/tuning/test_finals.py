"""Final runs: each search's best configuration again, in turns, once each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmtune.benchmark.synthetic import Behaviour, SyntheticEvaluator
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.trial import Trial, TrialStatus
from llmtune.tuning.circumstances import Circumstances
from llmtune.tuning.finals import best_trial, final_trials, measure_finals
from llmtune.tuning.guards import ServerFacts
from llmtune.tuning.new_record import new_record
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import Phase, Request, SessionRecord
from llmtune.tuning.session import TuningSession
from llmtune.tuning.store import SessionStore

SPACE = resolve_space(load_catalogue(), 18, Hardware(2, 4 << 30), names=["work_mem", "jit"])


class Failing(SyntheticEvaluator):
    """Every trial fails."""

    def measure(self, *given, **more) -> Trial:
        return replace(super().measure(*given, **more), status=TrialStatus.CRASHED, value=None)


@pytest.fixture
def store() -> SessionStore:
    return SessionStore("sqlite://")


@pytest.fixture
def evaluator() -> SyntheticEvaluator:
    return SyntheticEvaluator(SPACE, 0, Behaviour(noise=0.05))


@pytest.fixture
def sessions(store, evaluator) -> list[SessionRecord]:
    records = [
        new_record(evaluator, Request("fake", "bowl", "random", "none", seed, Plan(trials=6)))
        for seed in range(3)
    ]
    for record in records:
        TuningSession.start(evaluator, store, record).explore()
    return records


def test_every_best_is_run_again_in_turns_and_backwards(store, evaluator, sessions) -> None:
    order: list[int] = []
    measure_finals(evaluator, store, sessions, 2, lambda record, _: order.append(record.seed))
    assert order == [0, 1, 2, 2, 1, 0]
    for record in sessions:
        journal = store.journal(record.id)
        values = [entry.trial.value for entry in journal if entry.phase is Phase.SEARCH]
        best = best_trial(journal, record.objective)
        assert best.value == min(values)
        finals = final_trials(journal, record.objective)
        assert [trial.number for trial in finals] == [6, 7]
        assert {trial.configuration for trial in finals} == {best.configuration}


def test_what_was_run_is_not_repeated(store, evaluator, sessions) -> None:
    def stop(_record: SessionRecord, _trial: Trial) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_finals(evaluator, store, sessions, 1, stop)
    order: list[int] = []
    measure_finals(evaluator, store, sessions, 1, lambda record, _: order.append(record.seed))
    assert order == [1, 2]
    measure_finals(evaluator, store, sessions, 1, stop)


def test_a_run_that_fails_is_told_and_not_repeated(store, evaluator, sessions) -> None:
    told: list[TrialStatus] = []
    for _ in range(2):
        measure_finals(
            Failing(SPACE, 0), store, sessions[:1], 1, lambda _, trial: told.append(trial.status)
        )
    assert told == [TrialStatus.CRASHED]
    (final,) = final_trials(store.journal(sessions[0].id), sessions[0].objective)
    assert not final.succeeded


def test_what_a_guard_refuses_by_now_is_not_run(store, evaluator, sessions) -> None:
    refusing = Circumstances(facts=ServerFacts(standby=True))
    told: list[TrialStatus] = []
    measure_finals(
        evaluator, store, sessions, 1, lambda _, trial: told.append(trial.status), refusing
    )
    assert told == [TrialStatus.REJECTED] * len(sessions)
    measure_finals(evaluator, store, sessions, 1, lambda _, trial: told.append(trial.status))
    assert told[len(sessions) :] == [TrialStatus.SUCCEEDED] * len(sessions), "when it may be"


def test_a_search_without_success_has_no_best(store, sessions) -> None:
    failed = [
        replace(entry, trial=replace(entry.trial, status=TrialStatus.FAILED, value=None))
        for entry in store.journal(sessions[0].id)
    ]
    assert best_trial(failed, sessions[0].objective) is None
    assert final_trials(failed, sessions[0].objective) == ()
