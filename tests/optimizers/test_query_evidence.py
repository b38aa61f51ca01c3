import numpy as np
import pytest

from llmtune.trial import QueryTime, Trial, TrialStatus
from optimizers.query_evidence import QueryEvidence
from tests.optimizers.conformance import knob_space
from workloads.objective import LATENCY

SPACE = knob_space().subset(["work_mem"])
DEFAULT = SPACE.default()
OTHER = SPACE.configuration({"work_mem": 65536})


def evidence(*trials, weights=None):
    """The evidence of trials of three queries."""
    gathered = QueryEvidence(weights or {"a": 1.0, "b": 1.0, "c": 1.0}, LATENCY, DEFAULT)
    for trial in trials:
        gathered.add(np.zeros(1), trial)
    return gathered


def trial(configuration, status, value, **seconds):
    times = tuple(QueryTime(name, one) for name, one in seconds.items())
    return Trial(0, "t", configuration, status, value, times)


BASE = trial(DEFAULT, TrialStatus.SUCCEEDED, 7.0, a=1.0, b=2.0, c=4.0)


def test_a_measured_query_is_the_log_of_its_time_over_the_default():
    gathered = evidence(BASE, trial(OTHER, TrialStatus.SUCCEEDED, 8.0, a=2.0, b=2.0, c=4.0))
    row = gathered.rows("abc")[1]
    assert row.places == [0, 1, 2]
    assert row.logs == pytest.approx([np.log(2), 0, 0])


def test_shares_count_the_weights():
    gathered = evidence(BASE, weights={"a": 4.0, "b": 1.0, "c": 0.5})
    assert gathered.shares == pytest.approx([0.5, 0.25, 0.25])
    assert gathered.seconds == pytest.approx(8.0)


def test_a_capped_trial_tells_what_finished_and_blames_the_query_under_way():
    gathered = evidence(BASE, trial(OTHER, TrialStatus.CAPPED, 14.0, a=1.0, b=9.0))
    row = gathered.rows("abc")[1]
    assert row.places == [0, 1], "the last one never ran"
    assert row.logs == pytest.approx([0.0, np.log(9 / 2)]), "all of the bound but a and c"


def test_the_query_under_way_is_blamed_beside_the_fastest_that_those_behind_it_ever_were():
    fast = trial(OTHER, TrialStatus.SUCCEEDED, 4.0, a=1.0, b=2.0, c=1.0)
    row = evidence(BASE, fast, trial(OTHER, TrialStatus.CAPPED, 6.0, a=1.0, b=4.0)).rows("abc")[2]
    assert row.logs == pytest.approx([0.0, np.log(4 / 2)]), "as where the cap stopped it"
    warming = trial(OTHER, TrialStatus.CAPPED, 6.0, a=1.0, b=0.5)
    assert evidence(BASE, fast, warming).rows("abc")[2].logs == pytest.approx(row.logs)


def test_only_the_query_that_the_cap_stopped_has_a_bound():
    capped = trial(OTHER, TrialStatus.CAPPED, 14.0, a=1.0, b=9.0)
    failed = trial(OTHER, TrialStatus.FAILED, None, a=1.0, b=9.0)
    gathered = evidence(BASE, capped, failed, trial(OTHER, TrialStatus.CAPPED, 14.0))
    assert [row.stopped for row in gathered.rows("abc")] == [None, 1, None, None]
    assert [row.stopped for row in gathered.rows("bc")] == [None, 0, None, None]
    assert [row.stopped for row in gathered.rows("ac")] == [None] * 4


def test_a_failed_query_is_to_blame_for_the_worst_loss_known():
    slow = trial(OTHER, TrialStatus.SUCCEEDED, 28.0, a=4.0, b=8.0, c=16.0)
    failed = trial(OTHER, TrialStatus.FAILED, None, a=1.0, b=0.01)
    row = evidence(BASE, slow, failed).rows("abc")[2]
    assert row.places == [0, 1]
    assert row.logs == pytest.approx([0.0, np.log((28 - 1 - 4) / 2)])


def test_a_trial_without_times_speaks_of_all_queries_alike():
    gathered = evidence(BASE, trial(OTHER, TrialStatus.CAPPED, 14.0))
    row = gathered.rows("abc")[1]
    assert row.places == [0, 1, 2]
    assert row.logs == pytest.approx([np.log(2)] * 3)


def test_a_query_that_never_finished_counts_as_an_ordinary_one():
    gathered = evidence(trial(OTHER, TrialStatus.TIMED_OUT, None, a=3.0, b=300.0))
    assert gathered.reference == pytest.approx([3.0, 3.0, 3.0])


def test_a_reused_time_is_no_evidence_but_counts_towards_the_bound():
    times = (QueryTime("a", 1.0, reused=True), QueryTime("b", 9.0))
    reusing = Trial(1, "t", OTHER, TrialStatus.CAPPED, 14.0, times)
    row = evidence(BASE, reusing).rows("abc")[1]
    assert row.places == [1]
    assert row.logs == pytest.approx([np.log(9 / 2)])
    whole = evidence(Trial(0, "t", DEFAULT, TrialStatus.SUCCEEDED, 10.0, times), BASE)
    assert whole.reference == pytest.approx([1.0, 5.5, 4.0])


def test_the_heaviest_queries_of_the_first_success_stand_for_the_total():
    slow = trial(OTHER, TrialStatus.SUCCEEDED, 28.0, a=20.0, b=1.0, c=7.0)
    gathered = evidence(BASE, slow)
    assert gathered.heaviest_first == ["c", "b", "a"]
    assert gathered.shares_of(["b", "c"]) == pytest.approx([1 / 3, 2 / 3])
    row = gathered.rows(["b", "c"])[1]
    assert row.places == [0, 1]
    assert row.logs == pytest.approx([np.log(1 / 2), np.log(7 / 4)])


def test_what_tells_no_times_is_not_the_first_of_the_queries():
    """Prior data are values alone: the session's first trial says which queries are heavy."""
    prior = [trial(one, TrialStatus.SUCCEEDED, 14.0) for one in (DEFAULT, OTHER)]
    early = evidence(*prior)
    assert early.first_timed is None
    assert early.reference == pytest.approx([1.0, 1.0, 1.0])
    gathered = evidence(*prior, BASE)
    assert gathered.first_timed is BASE
    assert gathered.heaviest_first == ["c", "b", "a"]
    assert gathered.shares == pytest.approx([1 / 7, 2 / 7, 4 / 7])


def test_what_is_known_of_the_queries_follows_each_further_trial():
    gathered = evidence(BASE)
    assert gathered.reference == pytest.approx([1.0, 2.0, 4.0])
    gathered.add(np.zeros(1), trial(DEFAULT, TrialStatus.SUCCEEDED, 9.0, a=3.0, b=2.0, c=4.0))
    assert gathered.reference == pytest.approx([2.0, 2.0, 4.0])
    assert gathered.shares == pytest.approx([0.25, 0.25, 0.5])


def test_before_a_success_any_queries_are_as_heavy():
    assert evidence().heaviest_first == ["a", "b", "c"]


def test_the_rest_is_what_the_others_took_together():
    reused = (QueryTime("c", 1.0, reused=True), QueryTime("a", 9.0), QueryTime("b", 4.0))
    reusing = Trial(1, "t", OTHER, TrialStatus.SUCCEEDED, 14.0, reused)
    rest = evidence(BASE, reusing).rest(["a"])
    assert rest.share == pytest.approx(6 / 7)
    assert rest.logs == pytest.approx([0.0, np.log(5 / 6)])
    weighted = evidence(BASE, reusing, weights={"a": 1.0, "b": 3.0, "c": 1.0}).rest(["a"])
    assert weighted.logs == pytest.approx([0.0, np.log((3 * 4 + 1) / (3 * 2 + 4))])


def test_a_trial_that_one_of_the_others_stopped_tells_of_the_rest_alone():
    gathered = evidence(BASE, trial(OTHER, TrialStatus.CAPPED, 14.0, c=5.0))
    assert gathered.rows(["a", "b"])[1].places == []
    rest = gathered.rest(["a", "b"])
    assert rest.share == pytest.approx(4 / 7)
    assert rest.logs == pytest.approx([0.0, np.log((14 - 1 - 2) / 4)]), "all but a and b"


def test_the_rest_took_what_was_seen_and_what_waited_at_its_fastest_if_that_is_more():
    fast = trial(OTHER, TrialStatus.SUCCEEDED, 4.5, a=1.0, b=0.5, c=3.0)
    seen = trial(OTHER, TrialStatus.CAPPED, 7.0, c=9.0)
    assert evidence(BASE, fast, seen).rest(["a"]).logs[2] == pytest.approx(np.log(9.5 / 6))


def test_a_trial_that_a_planned_query_stopped_does_not_tell_of_the_rest():
    told = trial(OTHER, TrialStatus.CAPPED, 14.0, c=4.0, a=9.0)
    assert np.isnan(evidence(BASE, told).rest(["a", "b"]).logs).tolist() == [False, True]


def test_without_times_the_rest_takes_its_part_in_the_loss():
    rest = evidence(BASE, trial(OTHER, TrialStatus.CAPPED, 14.0)).rest(["a", "b"])
    assert rest.logs == pytest.approx([0.0, np.log(2)])


def test_where_all_are_planned_there_is_no_rest():
    rest = evidence(BASE).rest(["a", "b", "c"])
    assert rest.share == 0.0
    assert np.isnan(rest.logs).all()
