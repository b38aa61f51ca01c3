"""Sessions in turns, and sessions that start from another's observations."""

from dataclasses import replace
from itertools import pairwise

import pytest

from llmtune.benchmark.synthetic import Behaviour, SyntheticEvaluator
from llmtune.benchmark.synthetic_plans import SyntheticPlans
from llmtune.errors import UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.trial import Pace, Trial
from llmtune.tuning.interleave import explore_in_turns
from llmtune.tuning.new_record import new_record
from llmtune.tuning.origin import Origin
from llmtune.tuning.plan import Plan
from llmtune.tuning.prior import prior_of, prior_proposals
from llmtune.tuning.record import PRIOR, Prior, Request, SessionRecord, SessionStatus
from llmtune.tuning.session import TuningSession
from llmtune.tuning.store import SessionStore

KNOBS = ("work_mem", "random_page_cost", "enable_nestloop", "shared_buffers")
SPACE = resolve_space(load_catalogue(), 18, Hardware(2, 4 << 30), names=KNOBS)
PLAN = Plan(trials=6)


@pytest.fixture
def store() -> SessionStore:
    return SessionStore("sqlite://")


def evaluator() -> SyntheticEvaluator:
    return SyntheticEvaluator(SPACE, 0, Behaviour(noise=0.0))


def request(seed: int = 3, optimizer: str = "random", workload: str = "bowl", **origin) -> Request:
    told = Origin.from_json(origin)
    return Request("fake", workload, optimizer, "none", seed, PLAN, told)


def record(seed: int, optimizer: str = "random", prior: tuple[Prior, ...] = (), **origin):
    return new_record(evaluator(), request(seed, optimizer, **origin), prior=prior)


def started(store: SessionStore, *seeds: int) -> list[TuningSession]:
    return [TuningSession.start(evaluator(), store, record(seed)) for seed in seeds]


def configurations(store: SessionStore, session_id: str):
    return [entry.trial.configuration for entry in store.journal(session_id)]


def test_sessions_take_turns_a_trial_each(store) -> None:
    sessions, order = started(store, 1, 2, 3), []
    explore_in_turns(sessions, lambda session: order.append(session.record.seed))
    rounds = [order[at : at + 3] for at in range(0, len(order), 3)]
    assert all(sorted(one) == [1, 2, 3] for one in rounds)
    assert all(before == after[::-1] for before, after in pairwise(rounds))
    for session in sessions:
        summary = store.summary(session.record.id)
        assert (summary.status, summary.trials) == (SessionStatus.FINISHED, 6)


def test_turns_change_nothing_in_a_session(store) -> None:
    together = started(store, 1, 2)
    explore_in_turns(together)
    (alone,) = started(store, 1)
    alone.explore()
    first, second = together[0].record.id, alone.record.id
    assert configurations(store, first) == configurations(store, second)


def test_an_early_end_leaves_every_session_to_go_on_with(store) -> None:
    sessions, count = started(store, 1, 2), 0

    def stop(_: TuningSession) -> None:
        nonlocal count
        count += 1
        if count == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explore_in_turns(sessions, stop)
    summaries = [store.summary(session.record.id) for session in sessions]
    assert {one.status for one in summaries} == {SessionStatus.INTERRUPTED}
    assert sum(one.trials for one in summaries) == 5
    resumed = [TuningSession.resume(evaluator(), store, one.record.id) for one in summaries]
    explore_in_turns(resumed)
    (whole,) = started(store, 2)
    whole.explore()
    assert configurations(store, summaries[1].record.id) == configurations(store, whole.record.id)


def test_what_ends_the_opening_leaves_the_sessions_before_to_go_on_with(store) -> None:
    def opening():
        yield from started(store, 1, 2)
        raise UsageError("a package is missing")

    with pytest.raises(UsageError):
        explore_in_turns(opening())
    assert [one.status for one in store.sessions()] == [SessionStatus.INTERRUPTED] * 2


def earlier(store: SessionStore) -> str:
    (session,) = started(store, 7)
    session.explore()
    return session.record.id


def own(journal, optimizer: str):
    return [e.trial.configuration for e in journal if e.trial.source == optimizer]


@pytest.mark.parametrize("optimizer", ["tpe", "cmaes", "random"])
def test_a_prior_is_learnt_from_and_never_counted(store, optimizer) -> None:
    prior = prior_of(store, earlier(store), evaluator(), request())
    fresh = record(3, optimizer, prior)
    session = TuningSession.start(evaluator(), store, fresh)
    journal = session.explore()
    assert len(journal) == PLAN.trials
    assert PRIOR not in {entry.trial.source for entry in journal}
    assert store.summary(fresh.id).record.prior == prior
    cold = TuningSession.start(evaluator(), store, record(3, optimizer)).explore()
    assert own(journal, optimizer)[0] != own(cold, optimizer)[0], "asks follow from what was told"


@pytest.mark.parametrize("optimizer", ["tpe", "cmaes"])
def test_who_learnt_from_a_prior_goes_on_from_it(store, optimizer) -> None:
    """Stopped where a model asks, of the prior's trials and its own."""
    prior = prior_of(store, earlier(store), evaluator(), request())
    whole, record_cut = record(3, optimizer, prior), record(3, optimizer, prior)
    TuningSession.start(evaluator(), store, whole).explore()
    cut = TuningSession.start(evaluator(), store, record_cut)
    with cut.exploring():
        for _ in range(PLAN.trials - 1):
            cut.step()
    store.mark(record_cut.id, SessionStatus.INTERRUPTED)
    TuningSession.resume(evaluator(), store, record_cut.id).explore()
    assert configurations(store, record_cut.id) == configurations(store, whole.id)


def test_the_best_of_a_prior_is_measured_again(store) -> None:
    prior = prior_of(store, earlier(store), evaluator(), request())
    (proposal,) = prior_proposals(prior, evaluator())
    best = min((one for one in prior if one.value is not None), key=lambda one: one.value)
    assert (proposal.source, proposal.configuration) == (PRIOR, best.configuration)


class Paced(SyntheticEvaluator):
    """Remembers what it is told to hold trials against."""

    reference_s = 0.0
    own_s = 0.002

    def keep_pace(self, reference_s: float) -> None:
        self.reference_s = reference_s

    def measure(self, *given, **more) -> Trial:
        return replace(super().measure(*given, **more), pace=Pace(0.003, self.own_s))


def test_who_learns_from_a_session_or_resumes_it_goes_on_at_its_pace(store) -> None:
    session = TuningSession.start(Paced(SPACE, 0), store, record(7))
    with session.exploring():
        session.step()
    learning, resuming, learning_later = Paced(SPACE, 0), Paced(SPACE, 0), Paced(SPACE, 0)
    fresh = record(3, prior=prior_of(store, session.record.id, learning, request()))
    TuningSession.start(learning, store, fresh)
    for one in (session.record.id, fresh.id):
        store.mark(one, SessionStatus.INTERRUPTED)
    TuningSession.resume(resuming, store, session.record.id)
    TuningSession.resume(learning_later, store, fresh.id)  # it has no trial of its own yet
    references = [one.reference_s for one in (learning, resuming, learning_later)]
    assert references == [0.002] * 3


def test_a_prior_tells_its_queries_times_at_the_pace_of_who_learns(store) -> None:
    session = TuningSession.start(Paced(SPACE, 0), store, record(7))
    session.explore()
    prior = prior_of(store, session.record.id, Paced(SPACE, 0), request())
    trials = [entry.trial for entry in store.journal(session.record.id)]
    assert all(trial.query_times for trial in trials)
    for reference_s in (0.002, 0.004):
        told = [one.held_against(reference_s).trial.query_times for one in prior]
        assert told == [trial.held_against(reference_s).query_times for trial in trials]
    fresh = record(3, prior=prior)
    store.create(fresh)
    assert store.summary(fresh.id).record.prior == prior


class Slow(Paced):
    """Held against a slower pace."""

    own_s = 0.004


def test_several_sessions_are_learnt_from_at_one_pace_and_each_once(store) -> None:
    for seed, kind in ((7, Paced), (8, Slow)):
        TuningSession.start(kind(SPACE, 0), store, record(seed)).explore()
    two, one = (summary.record.id for summary in store.sessions())  # the newest first
    prior = prior_of(store, f"{one}, {two},{one}", evaluator(), request())
    assert [known.session for known in prior] == [one] * PLAN.trials + [two] * PLAN.trials
    trials = [entry.trial for name in (one, two) for entry in store.journal(name)]
    told = [trial.held_against(0.002) for trial in trials]
    assert [(p.value, p.pace) for p in prior] == [(trial.value, trial.pace) for trial in told]
    assert told[-1].value != trials[-1].value
    best = min(prior, key=lambda known: known.value)
    assert [p.configuration for p in prior_proposals(prior, evaluator())] == [best.configuration]


def test_a_prior_of_no_session_is_refused(store) -> None:
    with pytest.raises(UsageError, match="--prior names no session"):
        prior_of(store, " ,", evaluator(), request())


class Planned(SyntheticEvaluator):
    """Shows the plans of its queries."""

    def what_if(self) -> SyntheticPlans:
        return SyntheticPlans(self)


def test_plan_learns_from_the_single_queries_of_a_prior(store) -> None:
    prior = prior_of(store, earlier(store), Planned(SPACE, 0), request())
    totals = tuple(replace(one, query_times=()) for one in prior)
    first = [
        own(TuningSession.start(Planned(SPACE, 0), store, record(3, "plan", one)).explore(), "plan")
        for one in (prior, totals)
    ]
    assert first[0][0] != first[1][0]


def test_a_prior_of_before_its_pace_and_times_were_kept_is_read(store) -> None:
    facts = record(3, prior=prior_of(store, earlier(store), evaluator(), request())).facts()
    for one in facts["prior"]:
        del one["pace"], one["query_times"]
    read = SessionRecord.from_facts("id", "target", "workload", facts)
    assert [(one.pace, one.query_times) for one in read.prior] == [(None, ())] * PLAN.trials


def test_a_prior_of_another_space_or_workload_is_refused(store) -> None:
    session_id = earlier(store)
    other = SyntheticEvaluator(SPACE.subset(KNOBS[:2]), 0)
    with pytest.raises(UsageError, match="differ in set of knobs"):
        prior_of(store, session_id, other, request())
    with pytest.raises(UsageError, match="differ in workload: bowl and tpch"):
        prior_of(store, session_id, evaluator(), request(workload="tpch"))
    with pytest.raises(UsageError, match=r"differ in target: .* and staging"):
        prior_of(store, session_id, evaluator(), replace(request(), target="staging"))


def test_a_prior_of_before_the_owner_changed_a_setting_is_taken(store) -> None:
    """A value is one of its configuration, wherever a search set out from: so after --apply too."""
    before, after = (SPACE.running({**SPACE.default(), "work_mem": size}) for size in (4096, 8192))
    measured = SyntheticEvaluator(before, 0)
    session = TuningSession.start(measured, store, new_record(measured, request(7)))
    session.explore()
    prior = prior_of(store, session.record.id, SyntheticEvaluator(after, 0), request())
    assert len(prior) == PLAN.trials


def test_a_prior_of_other_queries_or_other_times_is_refused(store) -> None:
    session = TuningSession.start(evaluator(), store, record(7, query_digest="1a", raw_times=False))
    session.explore()
    for origin, said in (
        ({"query_digest": "2b"}, "queries: 1a and 2b"),
        ({"query_digest": "1a", "raw_times": True}, "times: at one pace and raw"),
    ):
        with pytest.raises(UsageError, match=f"differ in {said}"):
            prior_of(store, session.record.id, evaluator(), request(**origin))
    assert len(prior_of(store, session.record.id, evaluator(), request())) == PLAN.trials


def test_an_empty_session_is_no_prior(store) -> None:
    (session,) = started(store, 9)
    with pytest.raises(UsageError, match="no search trial"):
        prior_of(store, session.record.id, evaluator(), request())
