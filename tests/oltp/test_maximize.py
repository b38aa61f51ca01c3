"""A whole session for an objective that grows: search, pruning, decision and report."""

from __future__ import annotations

import pytest

from llmtune.benchmark.synthetic import Behaviour, SyntheticEvaluator
from llmtune.report.comparison import Axis, speed_up, zero_trial
from llmtune.report.page import page
from llmtune.report.wording import Verdict, headline
from llmtune.trial import TrialStatus
from llmtune.tuning.assemble import assemble
from llmtune.tuning.new_record import new_record
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import Phase, Request
from llmtune.tuning.session import Outcome, TuningSession
from llmtune.tuning.store import SessionStore
from optimizers.warm_start import default_proposal
from tests.report.conftest import arm_of
from workloads.objective import THROUGHPUT


@pytest.fixture
def session(space):
    def run(seed: int) -> tuple[Outcome, SyntheticEvaluator]:
        behaviour = Behaviour(active=2, optimum_gain=3.0, noise=0.005, default_is_best=True)
        evaluator = SyntheticEvaluator(space, 1, behaviour, THROUGHPUT, base=1000.0)
        request = Request("test", "synthetic", "random", "none", seed, Plan(trials=25))
        record = new_record(evaluator, request, [default_proposal(space)])
        return TuningSession.start(evaluator, SessionStore("sqlite://"), record).run(), evaluator

    return run


def test_more_is_better_from_search_to_report(session):
    """The surface is a bowl with the default at its bottom, so every change helps."""
    outcome, evaluator = session(0)
    result = assemble(outcome, evaluator.space)
    search = [e.trial for e in outcome.entries if e.phase is Phase.SEARCH]
    best = max(t.value for t in search if t.status is TrialStatus.SUCCEEDED)
    assert result.best.value == pytest.approx(best, rel=0.1)
    assert result.best.value > result.default.value == pytest.approx(1000.0, rel=0.02)
    assert result.improvement.ratio == pytest.approx(result.best.value / result.default.value)
    assert result.improvement.improved
    kept = {knob.name for knob in result.knobs}
    assert kept <= set(evaluator.active), "pruning keeps what matters alone"
    said = headline(result)
    assert said.verdict is Verdict.IMPROVED
    assert "better throughput than the default" in said.title


def test_capped_trials_are_upper_bounds(session):
    outcome, _ = session(0)
    capped = [e.trial for e in outcome.entries if e.trial.status is TrialStatus.CAPPED]
    best = outcome.confirmation.best.value
    assert capped
    assert all(trial.value < best for trial in capped)


def test_a_report_speaks_of_transactions(session):
    outcome, evaluator = session(0)
    text = page(assemble(outcome, evaluator.space))
    assert "transactions/s" in text
    assert "the loaded database was copied" in text
    assert "A trial much slower" not in text


def test_a_comparison_counts_work_until_as_much_is_reached(session):
    results = [assemble(outcome, evaluator.space) for outcome, evaluator in map(session, (1, 2))]
    arm = arm_of("cold", results)
    same = speed_up(arm, arm, Axis.TRIALS)
    assert same.ratios == (1.0, 1.0)
    first = zero_trial(arm, arm, "random")
    assert first.over_default.median >= 1.0
    assert first.over_cold_best.median <= 1.0
