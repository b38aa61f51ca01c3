"""What several passes of one trial come to: every second once, and at its own pace."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.benchmark.history import History
from llmtune.benchmark.pace import steadied
from llmtune.benchmark.passes import Passes
from llmtune.benchmark.queries import QueryOutcome
from llmtune.benchmark.timed_pass import PassResult
from llmtune.knobs.configuration import Configuration
from llmtune.trial import Pace, Trial, TrialStatus
from workloads.workload import Query

some_seconds = st.lists(st.floats(0.001, 100.0), min_size=1, max_size=5)
ratios = st.floats(0.2, 5.0)


def queries(prefix: str, count: int) -> tuple[Query, ...]:
    """They weigh as much as their place says."""
    names = [f"{prefix}{number}" for number in range(count)]
    return tuple(Query(name, "SELECT 1", name, 1.0 + at) for at, name in enumerate(names))


def result(
    asked: Sequence[Query],
    seconds: Sequence[float],
    status: TrialStatus = TrialStatus.SUCCEEDED,
    total: float = 0.0,
    probe_s: float | None = None,
) -> PassResult:
    outcomes = (QueryOutcome(q.id, s, status) for q, s in zip(asked, seconds, strict=False))
    return PassResult(status, total, tuple(outcomes), "", probe_s)


def timed(asked: Sequence[Query], seconds: Sequence[float], probe_s: float | None = None) -> Passes:
    return Passes().with_timed(asked, result(asked, seconds, probe_s=probe_s))


def reusing(ran: Sequence[float], known: float) -> Passes:
    """A timed pass and the warm one before it, which took as long; one query was reused."""
    asked = queries("ran", len(ran))
    first = Passes(dict.fromkeys(queries("known", 1), known))
    return first.warmed(asked, result(asked, ran)).with_timed(asked, result(asked, ran))


def weighted(asked: Sequence[Query], seconds: Sequence[float]) -> float:
    return sum(q.weight * s for q, s in zip(asked, seconds, strict=True))


@given(some_seconds, st.floats(0.001, 100.0))
def test_what_was_not_run_counts_as_it_was_known(ran, known):
    passes = reusing(ran, known)
    assert passes.measured_s == pytest.approx(2 * sum(ran))
    assert passes.reused_s == known
    assert passes.total == pytest.approx(known + weighted(queries("ran", len(ran)), ran))
    assert [one.reused for one in passes.query_times] == [True] + [False] * len(ran)


@given(some_seconds, st.floats(0.001, 100.0), st.floats(0.001, 100.0), ratios, ratios)
def test_what_was_measured_whole_reuses_nothing_and_is_all_at_its_own_pace(
    ran, known, really, ratio, before
):
    rest = queries("known", 1)
    whole = reusing(ran, known).without(rest).with_timed(rest, result(rest, [really]))
    assert (whole.reused_s, dict(whole.reused)) == (0.0, {})
    assert whole.measured_s == pytest.approx(2 * sum(ran) + really)
    trial = Trial(
        0, "test", Configuration({}), TrialStatus.SUCCEEDED, whole.value, whole.query_times
    )
    steady = steadied(trial, Pace(ratio, 1.0), spent=whole.reused_s, reused_at=before)
    weights = {q.id: q.weight for q in (*queries("ran", len(ran)), *rest)}
    total = sum(weights[one.query_id] * one.seconds for one in steady.query_times)
    assert steady.value == pytest.approx(total)


@given(some_seconds, st.floats(0.1, 10.0))
def test_a_trial_that_was_timed_twice_counts_both_passes_and_is_worth_their_mean(ran, slower):
    asked = queries("q", len(ran))
    second = [one * slower for one in ran]
    both = timed(asked, ran).timed_again(result(asked, second))
    assert both.measured_s == pytest.approx(sum(ran) + sum(second))
    assert both.value == pytest.approx((weighted(asked, ran) + weighted(asked, second)) / 2)
    assert [one.query_id for one in both.query_times] == [q.id for q in asked]


def test_a_second_pass_that_fails_decides_and_its_seconds_count_too():
    asked = queries("q", 2)
    failed = result(asked, [0.5], TrialStatus.FAILED, probe_s=0.003)
    both = timed(asked, [1.0, 2.0], probe_s=0.002).timed_again(failed)
    assert (both.status, both.value, both.measured_s) == (TrialStatus.FAILED, None, 3.5)
    assert [(one.query_id, one.seconds) for one in both.query_times] == [("q0", 0.5)]
    assert both.probe_s == 0.003


def test_a_capped_trial_is_worth_its_cap_and_tells_times_as_far_as_it_came():
    asked = queries("q", 3)
    capped = Passes().with_timed(asked, result(asked, [1.0, 2.0], TrialStatus.CAPPED, total=4.5))
    assert (capped.value, len(capped.query_times)) == (4.5, 2)


def test_a_query_that_is_stopped_while_it_warms_comes_last_with_what_it_would_take_at_least():
    rest = queries("known", 1)
    stopped = result(rest, [3.0], TrialStatus.CAPPED, total=9.0, probe_s=0.004)
    passes = reusing([1.0, 2.0], 0.1).without(rest).warmed(rest, stopped)
    assert (passes.status, passes.value) == (TrialStatus.CAPPED, 9.0)
    assert (passes.measured_s, passes.probe_s) == (9.0, 0.004)
    told = [(one.query_id, one.seconds) for one in passes.query_times]
    assert told == [("ran0", 1.0), ("ran1", 2.0), ("known0", 1.5)]
    trial = Trial(0, "test", Configuration({}), passes.status, passes.value, passes.query_times)
    assert History([trial]).fastest() == {"ran0": 1.0, "ran1": 2.0}, "it is no complete time"


def test_before_anything_is_timed_a_pass_that_warms_tells_what_was_reused_and_who_ended_it():
    asked = queries("ran", 2)
    first = Passes(dict.fromkeys(queries("known", 1), 0.1))
    failed = first.warmed(asked, result(asked, [4.0], TrialStatus.FAILED))
    told = [(one.query_id, one.seconds, one.reused) for one in failed.query_times]
    assert told == [("known0", 0.1, True), ("ran0", 2.0, False)]


def test_a_pass_that_warms_and_is_stopped_between_two_queries_tells_no_times():
    asked = queries("ran", 2)
    ended = QueryOutcome("ran0", 3.0, TrialStatus.SUCCEEDED)
    passes = Passes().warmed(asked, PassResult(TrialStatus.CAPPED, 1.0, (ended,)))
    assert (passes.status, passes.query_times) == (TrialStatus.CAPPED, ())


def test_passes_share_a_pace_by_how_long_they_ran():
    asked, rest = queries("q", 1), queries("rest", 1)
    first = timed(asked, [3.0], probe_s=0.002)
    both = first.with_timed(rest, result(rest, [1.0], probe_s=0.006))
    assert both.probe_s == pytest.approx(0.003)
    assert first.with_timed(rest, result(rest, [1.0])).probe_s == 0.002
    nothing = timed(asked, [0.0], probe_s=0.002)
    assert nothing.probe_s == 0.002, "a query that the server refused took no time"
