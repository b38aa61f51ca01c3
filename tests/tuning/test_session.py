import os
import signal
from dataclasses import replace

import pytest

from llmtune.benchmark.cheap import FULL_TRIALS, CheapTrials
from llmtune.benchmark.synthetic import Behaviour, SyntheticEvaluator
from llmtune.errors import SessionError, TargetError, UnknownName, UsageError
from llmtune.knobs.memory import fits
from llmtune.trial import Trial, TrialStatus
from llmtune.tuning.circumstances import ALONE, Circumstances
from llmtune.tuning.events import (
    PhaseStarted,
    SessionFinished,
    SessionInterrupted,
    SessionStarted,
    TrialFinished,
    TrialStarted,
)
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import Phase, Request, SessionStatus
from llmtune.tuning.session import TuningSession
from optimizers.warm_start import Proposal


class Stopping:
    """Passes measurements through until the `at`-th, where it does `what` instead."""

    def __init__(self, inner, at, what):
        self.inner, self.at, self.what = inner, at, what
        self.space, self.objective = inner.space, inner.objective

    def measure(self, configuration, *, number, source, cap=None):
        if number == self.at:
            self.what()
        return self.inner.measure(configuration, number=number, source=source, cap=cap)


def interrupt():
    raise KeyboardInterrupt


def lose_target():
    raise TargetError("the server is gone")


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def run(evaluator, store, record, circumstances=ALONE):
    return TuningSession.start(evaluator, store, record, circumstances).run()


def search_of(outcome):
    return [entry.trial for entry in outcome.entries if entry.phase is Phase.SEARCH]


def test_a_session_finds_and_confirms_an_improvement(evaluator, store, make_record):
    record = make_record(trials=30)
    outcome = run(evaluator, store, record)
    assert outcome.confirmation.improved
    assert outcome.confirmation.ratio > 1.3
    assert store.summary(record.id).status is SessionStatus.FINISHED


def test_the_search_starts_with_default_repeats_then_the_warm_start(evaluator, store, make_record):
    outcome = run(evaluator, store, make_record(trials=6, default_repeats=2))
    assert [t.source for t in search_of(outcome)] == ["default", "default", "rules"] + ["tpe"] * 3


def test_every_trial_is_journalled_in_order(evaluator, store, make_record):
    record = make_record(trials=8)
    outcome = run(evaluator, store, record)
    assert store.journal(record.id) == outcome.entries
    assert [e.trial.number for e in outcome.entries] == list(range(len(outcome.entries)))


def test_where_the_default_is_best_nothing_is_called_improved(space, store, make_record):
    evaluator = SyntheticEvaluator(space, 3, Behaviour(noise=0.02, default_is_best=True))
    outcome = run(evaluator, store, make_record(trials=15))
    assert not outcome.confirmation.improved


def test_bad_trials_are_capped_at_the_factor_of_the_incumbent(evaluator, store, make_record):
    outcome = run(evaluator, store, make_record(trials=20, cap_factor=1.2))
    capped = [t for t in search_of(outcome) if t.status is TrialStatus.CAPPED]
    assert capped
    for trial in capped:
        before = [t.value for t in search_of(outcome)[: trial.number] if t.succeeded]
        assert trial.value == pytest.approx(1.2 * min(before))


def test_a_search_that_spares_nothing_stops_no_trial(evaluator, store, make_record):
    trials = search_of(run(evaluator, store, make_record(trials=20, cheap=FULL_TRIALS)))
    best = min(trial.value for trial in trials)
    assert max(trial.value for trial in trials) > 1.5 * best, "which would have been stopped"
    assert all(trial.succeeded for trial in trials)


def test_crashes_do_not_end_a_session(space, store, make_record):
    evaluator = SyntheticEvaluator(space, 1, Behaviour(optimum_gain=3.0, crash_share=0.4))
    outcome = run(evaluator, store, make_record(trials=25))
    statuses = {t.status for t in search_of(outcome)}
    assert statuses >= {TrialStatus.CRASHED, TrialStatus.SUCCEEDED}
    assert len(search_of(outcome)) == 25


def test_a_configuration_beyond_the_memory_is_rejected_and_never_applied(
    evaluator, space, store, make_record
):
    hungry = space.configuration({"work_mem": space["work_mem"].at(1.0), "shared_buffers": 300_000})
    assert not fits(hungry, space)
    record = replace(make_record(trials=4), proposals=(Proposal("model", hungry),))
    outcome = run(evaluator, store, record)
    rejected = search_of(outcome)[2]
    assert (rejected.source, rejected.status) == ("model", TrialStatus.REJECTED)
    assert "memory" in rejected.message
    assert evaluator.measured == len(outcome.entries) - 1


@pytest.mark.parametrize("stop", [interrupt, terminate])
@pytest.mark.parametrize(
    ("at", "phase"),
    [
        (0, Phase.SEARCH),
        (5, Phase.SEARCH),
        (12, Phase.SEARCH),
        (17, Phase.PRUNE),
        (26, Phase.CONFIRM),
    ],
)
def test_an_interrupted_session_resumes_to_the_same_answer(
    space, store, make_record, stop, at, phase
):
    """At 12 a model asks: what the trials before were worth decides what comes next."""
    quiet = Behaviour(active=3, optimum_gain=3.0, noise=0.0)
    plan = {"trials": 16, "prune_trials": 4}
    whole = run(SyntheticEvaluator(space, 1, quiet), store, make_record(**plan))
    assert whole.entries[at].phase is phase
    evaluator = SyntheticEvaluator(space, 1, quiet)
    record = make_record(**plan)
    with pytest.raises(KeyboardInterrupt):
        run(Stopping(evaluator, at, stop), store, record)
    assert store.summary(record.id).status is SessionStatus.INTERRUPTED
    assert len(store.journal(record.id)) == at
    resumed = TuningSession.resume(evaluator, store, record.id).run()
    assert [e.trial for e in resumed.entries] == [e.trial for e in whole.entries]
    assert resumed.confirmation == whole.confirmation
    assert store.summary(record.id).status is SessionStatus.FINISHED


def test_what_an_earlier_decision_ran_does_not_hide_what_the_last_one_ran(
    space, store, make_record
):
    quiet = Behaviour(active=3, optimum_gain=3.0, noise=0.0)
    plan = {"trials": 16, "prune_trials": 4}
    whole = run(SyntheticEvaluator(space, 1, quiet), store, make_record(**plan))
    first = next(at for at, one in enumerate(whole.entries) if one.phase is not Phase.SEARCH)
    other = replace(whole.entries[first].trial, configuration=search_of(whole)[3].configuration)
    stale = replace(whole.entries[first], trial=other)
    record = make_record(**plan)
    store.create(record)
    for number, entry in enumerate([*whole.entries[:first], stale, *whole.entries[first:]]):
        store.append(record.id, replace(entry, trial=replace(entry.trial, number=number)))
    evaluator = SyntheticEvaluator(space, 1, quiet)
    assert TuningSession.resume(evaluator, store, record.id).run().confirmation == (
        whole.confirmation
    )
    assert evaluator.measured == 0, "all of it was there"


@pytest.mark.parametrize(
    "plan",
    [{"cheap": CheapTrials(save_restarts=True)}, {"keep_knobs": 3, "narrow_after": 15}],
    ids=["restarts saved", "few knobs kept"],
)
def test_what_is_in_force_and_which_knobs_are_left_are_found_again(space, store, make_record, plan):
    quiet = Behaviour(active=3, optimum_gain=3.0, noise=0.0)

    def explored(evaluator, record):
        return TuningSession.start(evaluator, store, record).explore()

    def fresh():
        return SyntheticEvaluator(space, 1, quiet)

    whole = explored(fresh(), make_record(trials=22, **plan))
    record = make_record(trials=22, **plan)
    with pytest.raises(KeyboardInterrupt):
        explored(Stopping(fresh(), 18, interrupt), record)
    resumed = TuningSession.resume(fresh(), store, record.id).explore()
    assert [e.trial for e in resumed] == [e.trial for e in whole]
    plain = explored(fresh(), make_record(trials=22))
    assert [e.trial for e in plain[18:]] != [e.trial for e in whole[18:]], "they decide there"


def test_another_optimizer_goes_on_with_a_session(evaluator, store, make_record):
    record = make_record(trials=8, optimizer="tpe")
    with pytest.raises(KeyboardInterrupt):
        run(Stopping(evaluator, 5, interrupt), store, record)
    resumed = TuningSession.resume(evaluator, store, record.id, optimizer="random")
    assert [t.source for t in search_of(resumed.run())][3:] == ["tpe"] * 2 + ["random"] * 3
    assert store.summary(record.id).record.optimizer == "random"


def test_an_unknown_optimizer_leaves_the_session_as_it_is(evaluator, store, make_record):
    record = make_record(trials=8)
    with pytest.raises(KeyboardInterrupt):
        run(Stopping(evaluator, 5, interrupt), store, record)
    before = store.summary(record.id)
    with pytest.raises(UnknownName):
        TuningSession.resume(evaluator, store, record.id, optimizer="nosuch")
    assert store.summary(record.id) == before


def test_a_lost_target_leaves_the_session_resumable(evaluator, store, make_record):
    record = make_record(trials=6)
    with pytest.raises(TargetError):
        run(Stopping(evaluator, 4, lose_target), store, record)
    assert store.summary(record.id).status is SessionStatus.INTERRUPTED
    assert TuningSession.resume(evaluator, store, record.id).run().confirmation


def test_the_terminate_handler_is_put_back(evaluator, store, make_record):
    before = signal.getsignal(signal.SIGTERM)
    run(evaluator, store, make_record(trials=3))
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_finished_session_is_not_resumed(evaluator, store, make_record):
    record = make_record(trials=3)
    run(evaluator, store, record)
    with pytest.raises(SessionError, match="finished"):
        TuningSession.resume(evaluator, store, record.id)


def test_a_session_is_not_resumed_on_other_knobs(evaluator, space, store, make_record):
    record = make_record(trials=5)
    with pytest.raises(KeyboardInterrupt):
        run(Stopping(evaluator, 3, interrupt), store, record)
    other = SyntheticEvaluator(space.subset(["work_mem"]), 1)
    with pytest.raises(SessionError, match="set of knobs"):
        TuningSession.resume(other, store, record.id)


class Broken(Stopping):
    """The `at`-th trial fails."""

    def measure(self, configuration, *, number, source, cap=None):
        if number == self.at:
            return Trial(number, source, configuration, TrialStatus.FAILED, message="no table x")
        return super().measure(configuration, number=number, source=source, cap=cap)


def test_a_default_that_fails_ends_the_session_with_the_reason(evaluator, store, make_record):
    with pytest.raises(SessionError, match="failed: no table x"):
        run(Broken(evaluator, 0, None), store, make_record(trials=5))
    (stored,) = store.sessions()
    assert stored.message.startswith("SessionError: ")
    assert "no table x" in stored.message


@pytest.mark.parametrize(("repeats", "at"), [(1, 0), (2, 0), (2, 1)])
def test_a_default_that_failed_is_measured_when_the_session_goes_on(
    evaluator, store, make_record, repeats, at
):
    record = make_record(trials=6, default_repeats=repeats)
    with pytest.raises(SessionError, match="no table x"):
        run(Broken(evaluator, at, None), store, record)
    resumed = search_of(TuningSession.resume(evaluator, store, record.id).run())
    assert [t.source for t in resumed[: repeats + 2]] == ["default"] * (repeats + 1) + ["rules"]
    assert [t.succeeded for t in resumed if t.source == "default"].count(True) == repeats


def test_what_ended_a_session_is_stored_in_a_line_without_a_password(evaluator, store, make_record):
    def lose():
        raise TargetError("no answer from postgresql://me:secret@db/shop\nlog: secret")

    record = make_record(trials=5)
    with pytest.raises(TargetError):
        run(Stopping(evaluator, 2, lose), store, record)
    expected = "TargetError: no answer from postgresql://me@db/shop"
    assert store.summary(record.id).message == expected
    TuningSession.resume(evaluator, store, record.id).run()
    assert store.summary(record.id).message == ""


def test_a_time_budget_leaves_room_for_the_decision(evaluator, store, make_record):
    outcome = run(evaluator, store, make_record(trials=None, seconds=600.0))
    wall_s = sum(entry.trial.wall_s for entry in outcome.entries)
    assert 300.0 < wall_s < 660.0
    assert outcome.confirmation.improved


@pytest.mark.parametrize("seconds", [10.0, 50.0, 120.0])
def test_a_decision_costs_no_more_than_is_left(space, store, make_record, seconds):
    """Also where trials are so long that all final runs would take more than the budget."""
    behaviour = Behaviour(active=3, optimum_gain=3.0, noise=0.01)
    evaluator = SyntheticEvaluator(space, 1, behaviour, base=seconds)
    outcome = run(evaluator, store, make_record(trials=None, seconds=1800.0))
    wall_s = sum(entry.trial.wall_s for entry in outcome.entries)
    longest = max(entry.trial.wall_s for entry in outcome.entries)
    assert wall_s < 1800.0 + longest
    finals = [entry.trial for entry in outcome.entries if entry.phase is Phase.CONFIRM]
    assert sum(trial.source == "default" for trial in finals) >= 3


def test_events_tell_the_whole_story(evaluator, store, make_record):
    events = []
    record = make_record(trials=5, prune_trials=3)
    outcome = run(evaluator, store, record, Circumstances(events.append))
    assert events[0] == SessionStarted(record.id, 0)
    assert events[-1] == SessionFinished(record.id)
    phases = [e.phase for e in events if isinstance(e, PhaseStarted)]
    assert phases == [Phase.SEARCH, Phase.PRUNE, Phase.CONFIRM]
    finished = [e for e in events if isinstance(e, TrialFinished)]
    assert [e.trial for e in finished] == [e.trial for e in outcome.entries]
    assert len([e for e in events if isinstance(e, TrialStarted)]) == len(finished)
    elapsed = [e.elapsed_s for e in finished]
    assert elapsed == sorted(elapsed)


def test_an_interruption_is_an_event(evaluator, store, make_record):
    events = []
    record = make_record(trials=5)
    with pytest.raises(KeyboardInterrupt):
        run(Stopping(evaluator, 2, interrupt), store, record, Circumstances(events.append))
    assert events[-1] == SessionInterrupted(record.id)


def test_an_unknown_optimizer_stores_nothing(evaluator, store, make_record):
    with pytest.raises(UnknownName):
        run(evaluator, store, make_record(optimizer="nosuch", trials=5))
    assert store.sessions() == ()


@pytest.mark.parametrize(
    "plan",
    [
        {"trials": 0},
        {"trials": None},
        {"seconds": 0.0},
        {"seconds": float("nan")},
        {"cap_factor": 1.0},
        {"confirm_runs": 1},
        {"prune_trials": -1},
    ],
)
def test_an_impossible_plan_is_refused(plan):
    with pytest.raises(UsageError):
        Plan(**plan)


def test_a_negative_seed_is_refused():
    with pytest.raises(UsageError, match="seed"):
        Request("embedded", "tpch", "tpe", "rules", -1, Plan())
