"""A finished session told from the store alone is what its run told."""

from dataclasses import replace

import pytest

from llmtune.benchmark.observe_window import WindowOptions
from llmtune.benchmark.synthetic import Behaviour, SyntheticEvaluator
from llmtune.errors import SessionError
from llmtune.tuning.assemble import assemble, stored_result
from llmtune.tuning.origin import Origin
from llmtune.tuning.record import SessionStatus
from llmtune.tuning.session import TuningSession
from llmtune.tuning.stored import stored_outcome, stored_space

PRESENT = {"work_mem": 9999, "random_page_cost": 1.7}
BEHAVIOUR = Behaviour(active=3, optimum_gain=3.0, noise=0.01)


def run(store, record, space):
    return TuningSession.start(SyntheticEvaluator(space, 1, BEHAVIOUR), store, record).run()


@pytest.mark.parametrize("plan", [{}, {"seconds": 60.0}, {"prune_trials": 0}])
def test_the_stored_result_is_the_one_that_was_written(store, make_record, space, plan):
    record = make_record(trials=20, **plan)
    outcome = run(store, record, space)
    assert stored_outcome(store, record.id)[0] == outcome
    assert stored_result(store, record.id) == assemble(outcome, space)


def test_the_present_settings_of_a_live_server_are_the_baseline(store, make_record, space):
    here = space.running({**space.default(), **PRESENT})
    record = replace(make_record(trials=20), target="postgresql://me@db/shop", proposals=())
    found = assemble(run(store, record, here), here)
    told = stored_result(store, record.id)
    assert told == found
    assert told.baseline == "current"
    assert {one.default for one in told.knobs if one.name in PRESENT} <= set(PRESENT.values())


def test_what_was_watched_is_changed_for_everyone(store, make_record, space):
    here = space.running(space.default()).for_everyone()
    record = replace(
        make_record(trials=20),
        target="postgresql://me@db/shop",
        knobs=here.names,
        proposals=(),
        origin=Origin(windows=WindowOptions()),
    )
    found = assemble(run(store, record, here), here)
    told = stored_result(store, record.id)
    assert told == found
    assert {one.effect for one in told.knobs} == {"reload"}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (SessionStatus.RUNNING, "it still runs, or was killed"),
        (SessionStatus.INTERRUPTED, r"it was interrupted \(the power went\)"),
    ],
)
def test_an_unfinished_session_has_no_answer_yet(store, make_record, space, status, said):
    record = make_record(trials=4)
    run(store, record, space)
    store.mark(record.id, status, "the power went")
    how = f"`llmtune resume {record.id} --store sqlite://` goes on"
    with pytest.raises(SessionError, match=f"no answer yet: {said}; {how}"):
        stored_outcome(store, record.id)


def test_a_session_that_only_searched_has_no_answer_and_is_left_alone(store, make_record, space):
    record = make_record(trials=6)
    TuningSession.start(SyntheticEvaluator(space, 1, BEHAVIOUR), store, record).explore()
    before = store.summary(record.id), store.journal(record.id)
    with pytest.raises(SessionError, match="a comparison's session, which only searches"):
        stored_outcome(store, record.id)
    assert (store.summary(record.id), store.journal(record.id)) == before


def test_knobs_of_another_catalogue_are_not_told_in_this_one_s(store, make_record, space):
    record = replace(make_record(trials=4), catalogue_hash="other")
    entries = run(store, record, space).entries
    with pytest.raises(SessionError, match="another knob catalogue"):
        stored_space(record, entries)
