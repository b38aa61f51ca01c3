"""Traffic is compared statement by statement, whatever its mix and load."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.benchmark.observe_compare import LEAST_CALLS, compare, with_running
from llmtune.benchmark.observe_verdict import Trialled, unlike
from llmtune.benchmark.observe_window import (
    Few,
    Length,
    Stop,
    Watched,
    WindowOptions,
    watch,
    watch_settled,
)
from llmtune.errors import UsageError
from llmtune.postgres.traffic import (
    Counted,
    Lost,
    Running,
    Snapshot,
    Totals,
    Traffic,
    between,
    pooled,
)
from llmtune.trial import TrialStatus

CALLS = st.integers(LEAST_CALLS, 10_000)
TIMES = st.floats(1e-5, 10.0)
STATEMENTS = st.lists(st.tuples(TIMES, CALLS, CALLS), min_size=1, max_size=8)
SPEED = st.floats(0.1, 10.0)
LOAD = st.floats(0.05, 20.0)


def counted(calls, mean):
    """As if every call took the same time."""
    return Counted(calls, calls * mean, calls * mean**2)


def traffic(*statements, seconds=10.0, running=()):
    """Statements as (calls, mean seconds), numbered from 0."""
    named = {(1, number): counted(*one) for number, one in enumerate(statements) if one[0]}
    return Traffic(seconds, Totals(), named, running)


@given(STATEMENTS, SPEED)
def test_the_ratio_is_the_change_of_speed_whatever_the_mix(statements, speed):
    base = traffic(*((before, mean) for mean, before, _ in statements))
    now = traffic(*((after, mean * speed) for mean, _, after in statements))
    found = compare(base, now)
    assert found.ratio == pytest.approx(speed)
    assert found.coverage == pytest.approx(1.0)


@given(STATEMENTS, SPEED)
def test_statements_of_one_span_only_do_not_count_but_are_told(statements, speed):
    base = traffic(*((before, mean) for mean, before, _ in statements), (100, 5.0))
    shared = traffic(*((after, mean * speed) for mean, _, after in statements))
    now = Traffic(10.0, Totals(), {**shared.statements, (1, 99): counted(7, 3.0)})
    found = compare(base, now)
    assert found.ratio == pytest.approx(speed)
    left = 1 - 500.0 / base.busy_seconds, 1 - 21.0 / now.busy_seconds
    assert found.coverage == pytest.approx(min(left))


@given(SPEED)
def test_a_change_of_speed_is_no_change_of_load(speed):
    base = traffic((1000, 0.01))
    same_requests = traffic((1000, 0.01 * speed))
    waiting_clients = traffic((round(1_000_000 / speed), 0.01 * speed), seconds=10_000.0)
    for now in (same_requests, waiting_clients):
        assert compare(base, now).load == pytest.approx(1.0, rel=1e-3)


@given(LOAD)
def test_more_of_the_same_is_more_load(load):
    now = traffic((1_000_000, 0.01), seconds=10_000.0 / load)
    assert compare(traffic((1000, 0.01)), now).load == pytest.approx(load)


def test_nothing_in_common_says_nothing():
    found = compare(traffic((100, 0.1)), traffic((0, 0.0), (100, 0.1)))
    assert math.isnan(found.ratio)
    assert "only 0% of the time" in unlike(found)


def test_spans_are_pooled_by_their_calls():
    both = pooled([traffic((10, 1.0)), traffic((30, 2.0), (5, 1.0), seconds=5.0)])
    assert both.seconds == 15.0
    assert both.statements[1, 0].mean == pytest.approx(1.75)
    assert both.calls == 45


def trialled(cap=None, spread=0.0):
    """A baseline of 1000 calls of 10 ms, whose times spread by so many seconds."""
    calls = Counted(1000, 10.0, 1000 * (0.01**2 + spread**2))
    return Trialled(Traffic(10.0, Totals(), {(1, 0): calls}), 1.1, cap)


def test_harm_is_told_when_it_is_sure():
    assert trialled().judge(traffic((50, 0.0105))) is None
    assert trialled().judge(traffic((50, 0.02))).harmful
    assert trialled(spread=0.1).judge(traffic((50, 0.02))) is None
    assert trialled(spread=0.1).judge(traffic((5000, 0.04))).harmful


def test_what_windows_differ_by_anyway_is_no_harm():
    base = trialled().baseline
    noisy = Trialled(base, 1.1, noise=0.1, window_s=10.0)
    assert noisy.judge(traffic((500, 0.0125))) is None
    assert noisy.judge(traffic((500, 0.0135))).harmful
    assert noisy.judge(traffic((50, 0.0135), seconds=1.0)) is None
    assert noisy.judge(traffic((50, 0.03), seconds=1.0)).harmful


def test_a_statement_that_hangs_is_harm_before_any_counter_knows_it():
    hanging = traffic(running=(Running((1, 0), 2.0), Running((1, 5), 9.0)))
    assert trialled().judge(hanging).harmful
    assert with_running(trialled().baseline, hanging).calls == 1
    assert trialled().judge(traffic(running=(Running((1, 0), 0.001),))) is None


def ended(stop=None, **options):
    seen = traffic((500, 0.01), **options)
    return Watched(snapshot(0.0, 0), seen, stop)


def test_a_worse_candidate_is_capped_at_the_cap_and_harm_at_the_limit():
    capped = trialled(cap=0.5)
    stop = capped.judge(traffic((500, 0.01)))
    assert (stop.harmful, capped.conclude(ended(stop)).ratio) == (False, 0.5)
    harm = capped.judge(traffic((500, 0.02)))
    seen = capped.conclude(ended(harm))
    assert (seen.status, seen.ratio, seen.harmful) == (TrialStatus.CAPPED, 1.1, True)
    assert "2.00 times the baseline's time" in seen.message


def test_an_overload_is_taken_back_but_is_not_blamed_on_the_configuration():
    overload = trialled().judge(traffic((5000, 0.02)))
    seen = trialled().conclude(ended(overload))
    assert (seen.harmful, seen.void, seen.ratio) == (True, True, None)
    assert "5 times the work" in seen.message


def test_a_window_with_other_traffic_does_not_count():
    other = Watched(snapshot(0.0, 0), traffic((5000, 0.01)))
    seen = trialled().conclude(other)
    assert (seen.status, seen.void) == (TrialStatus.FAILED, True)


def snapshot(at, calls, **changes):
    facts = {"evictions": 0, "reset": None, "totals": Totals(), **changes}
    return Snapshot(at, statements={(1, 0): counted(calls, 0.01)}, **facts)


@pytest.mark.parametrize(
    ("later", "said"),
    [
        (snapshot(1.0, 20, evictions=1), "raise pg_stat_statements.max"),
        (snapshot(1.0, 20, reset=1), "somebody reset"),
        (snapshot(1.0, 3), "somebody reset counters"),
    ],
)
def test_disturbed_counters_are_noticed(later, said):
    found = between(snapshot(0.0, 10), later)
    assert isinstance(found, Lost)
    assert said in found.reason


def test_what_lies_between_two_snapshots():
    first = Snapshot(2.0, 0, None, Totals(10, 5, 5, 100), {(1, 0): counted(10, 0.1)})
    calls = {(1, 0): Counted(30, 5.0), (1, 1): Counted(2, 1.0)}
    last = Snapshot(6.0, 0, None, Totals(18, 14, 6, 300), calls)
    found = between(first, last)
    assert (found.tps, found.hit_share, found.totals.temp_bytes) == (2.0, 0.9, 200)
    assert found.statements[1, 0].calls == 20
    assert found.statements[1, 0].mean == pytest.approx(0.2)
    assert found.busy_seconds == pytest.approx(5.0)


class Steady:
    """A reader, and the waiting for it: so many calls in every second."""

    def __init__(self, rate, took=0.0):
        self.rate, self.took, self.now, self.looks = rate, took, 0.0, 0

    def snapshot(self):
        self.looks += 1
        return snapshot(self.now, int(self.rate * self.now), took=self.took)

    def pause(self, seconds):
        self.now += seconds

    def watch(self, length, judge=lambda _: None):
        return watch(self, self.snapshot(), length, judge, self.pause)


@pytest.mark.parametrize(("rate", "seconds"), [(10, 60.0), (0.5, 100.0)])
def test_a_window_goes_on_until_it_has_enough_calls(rate, seconds):
    watched = Steady(rate).watch(Length(60.0, 50))
    assert watched.lost is None
    assert watched.traffic.seconds == pytest.approx(seconds)


def test_a_window_without_traffic_ends():
    watched = Steady(0.1).watch(Length(60.0, 50))
    assert watched.lost == Few(24, 240.0)


def test_nobody_looks_more_often_than_every_second():
    reader = Steady(100)
    reader.watch(Length(5.5, 1))
    assert reader.looks == 1 + 5
    assert Length(600.0, 1).between_looks == 50.0
    assert Length(0.3, 1).between_looks == 0.3


@pytest.mark.parametrize(("rate", "took"), [(100, 0.1), (20, 0.02), (1, 0.001)])
def test_looks_take_less_than_a_hundredth_of_the_time_of_statements(rate, took):
    reader = Steady(rate, took)
    watched = reader.watch(Length(60.0, 1))
    assert 3 <= reader.looks < 13
    assert reader.looks * took <= 0.01 * watched.traffic.busy_seconds + 2 * took


def test_the_judge_ends_a_window():
    stop = Stop(compare(traffic((9, 1.0)), traffic((9, 2.0))), harmful=True)
    watched = Steady(10).watch(Length(60.0, 50), lambda so_far: stop if so_far.calls > 99 else None)
    assert watched.stop is stop
    assert watched.traffic.seconds == 10.0


class Settling(Steady):
    """A hundred calls in every second, which take longer for the first ten."""

    def __init__(self, at_first, then):
        super().__init__(100)
        self.at_first, self.then = at_first, then

    def snapshot(self):
        early = counted(int(self.rate * min(self.now, 10.0)), self.at_first)
        late = counted(int(self.rate * max(self.now - 10.0, 0.0)), self.then)
        return Snapshot(self.now, 0, None, Totals(), {(1, 0): early + late})

    def trial(self, judge):
        return watch_settled(self, WindowOptions(), judge, self.pause, settle=True)


def test_what_is_slow_while_it_settles_is_judged_by_its_window():
    capped = trialled(cap=0.5)
    watched = Settling(0.008, 0.004).trial(capped.judge)
    assert watched.traffic.seconds == pytest.approx(60.0)
    seen = capped.conclude(watched)
    assert (seen.status, seen.ratio) == (TrialStatus.SUCCEEDED, pytest.approx(0.4))
    still_slow = Settling(0.008, 0.008).trial(capped.judge)
    assert capped.conclude(still_slow).status is TrialStatus.CAPPED


def test_harm_is_told_while_it_settles():
    reader = Settling(0.03, 0.004)
    watched = reader.trial(trialled(cap=0.5).judge)
    assert watched.stop.harmful
    assert reader.now < 10.0


@pytest.mark.parametrize(
    "wrong",
    [{"window_s": 0.5}, {"settle_s": -1.0}, {"min_calls": 0}, {"rollback": 0.0}],
)
def test_windows_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError):
        WindowOptions(**wrong)
