"""What several passes of one trial come to: every second once, and at its own pace."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.benchmark.pace import steadied
from llmtune.benchmark.passes import Passes
from llmtune.benchmark.queries import QueryOutcome
from llmtune.benchmark.timed_pass import PassResult
from llmtune.knobs.configuration import Configuration
from llmtune.trial import Pace, Trial, TrialStatus

some_seconds = st.lists(st.floats(0.001, 100.0), min_size=1, max_size=5)
ratios = st.floats(0.2, 5.0)


def result(
    prefix: str,
    seconds: Sequence[float],
    before: float = 0.0,
    status: TrialStatus = TrialStatus.SUCCEEDED,
) -> PassResult:
    """Of a pass over queries of weight 1 whose total began with `before`."""
    outcomes = [QueryOutcome(f"{prefix}{n}", s, status) for n, s in enumerate(seconds)]
    return PassResult(status, before + sum(seconds), tuple(outcomes))


def reusing(ran: Sequence[float], known: float) -> Passes:
    """A timed pass and the warm one before it, which took as long; one query was reused."""
    first = result("ran", ran, known)
    return Passes(first, 2 * sum(ran), timed=True, reused={"known": known}, spent=known)


def rest(first: Passes, seconds: Sequence[float]) -> Passes:
    """A timed pass over what `first` reused, which goes on from what that one measured."""
    measured_s = first.result.query_seconds
    timed = result("rest", seconds, measured_s)
    return Passes(timed, sum(seconds), timed=True, spent=measured_s)


@given(some_seconds, st.floats(0.001, 100.0), some_seconds, ratios, ratios)
def test_what_was_measured_whole_reuses_nothing_and_is_all_at_its_own_pace(
    ran, known, others, ratio, before
):
    first = reusing(ran, known)
    whole = first.followed_by(rest(first, others))
    assert (whole.spent, whole.reused) == (0.0, {})
    assert whole.measured_s == pytest.approx(2 * sum(ran) + sum(others))
    trial = Trial(
        0,
        "test",
        Configuration({}),
        TrialStatus.SUCCEEDED,
        whole.result.total,
        whole.query_times,
    )
    steady = steadied(trial, Pace(ratio, 1.0), spent=whole.spent, reused_at=before)
    assert steady.value == pytest.approx(sum(one.seconds for one in steady.query_times))


@given(some_seconds, st.floats(0.1, 10.0))
def test_a_trial_that_was_timed_twice_counts_both_passes_and_is_worth_their_mean(ran, slower):
    first = Passes(result("q", ran), sum(ran), timed=True)
    second = [one * slower for one in ran]
    both = first.confirmed_by(Passes(result("q", second), sum(second), timed=True))
    assert both.measured_s == pytest.approx(sum(ran) + sum(second))
    assert both.result.total == pytest.approx((sum(ran) + sum(second)) / 2)
    assert sum(one.seconds for one in both.query_times) == pytest.approx(both.result.total)


def test_a_second_pass_that_fails_decides_and_its_seconds_count_too():
    first = Passes(result("q", [1.0, 2.0]), 3.0, timed=True)
    failed = result("q", [0.5], status=TrialStatus.FAILED)
    both = first.confirmed_by(Passes(failed, 0.5, timed=True))
    assert (both.result, both.measured_s) == (failed, 3.5)
