"""Laws of the best-so-far curve, the bands over seeds, and the speed-up."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.errors import UsageError
from llmtune.report.arms import Arm, Run
from llmtune.report.comparison import band, median_interval, span_coverage, speed_up, zero_trial
from llmtune.report.curve import Axis, Curve, Point, session_curve
from llmtune.trial import TrialStatus
from tests.report.conftest import arm_of
from workloads.objective import LATENCY, Direction, Objective

THROUGHPUT = Objective("throughput", "1/s", Direction.MAXIMIZE)
FAILURES = [s for s in TrialStatus if s not in (TrialStatus.SUCCEEDED, TrialStatus.CAPPED)]


def curve(*values: float | None, objective: Objective = LATENCY, pace: float = 10.0) -> Curve:
    """One trial every `pace` seconds; the first is the default's, the second the model's."""
    sources = ["default", "model"] + ["tpe"] * len(values)
    points = (
        Point(
            trial=at + 1,
            seconds=(at + 1) * pace,
            source=sources[at],
            status=TrialStatus.CRASHED if value is None else TrialStatus.SUCCEEDED,
            value=value,
        )
        for at, value in enumerate(values)
    )
    return Curve(objective, tuple(points))


def arm(label: str, *curves: Curve) -> Arm:
    return Arm(label, tuple(Run(seed, one) for seed, one in enumerate(curves)))


@st.composite
def curves(draw: st.DrawFn, objective: Objective = LATENCY) -> Curve:
    """Any session, with gaps in time and failures in between."""
    points = []
    seconds = 0.0
    for trial in range(1, draw(st.integers(1, 12)) + 1):
        seconds += draw(st.floats(0.1, 100))
        status = draw(st.sampled_from(list(TrialStatus)))
        value = None if status in FAILURES else draw(st.floats(0.01, 1000))
        points.append(Point(trial, seconds, "tpe", status, value))
    return Curve(objective, tuple(points))


@given(one=curves())
def test_best_so_far_never_gets_worse_and_is_always_a_measured_value(one: Curve) -> None:
    measured = {p.value for p in one.points if p.status is TrialStatus.SUCCEEDED}
    seen = [value for value in one.best() if value is not None]
    assert seen == sorted(seen, reverse=True)
    assert set(seen) <= measured
    assert (one.final is None) == (not measured)


@given(one=curves(THROUGHPUT))
def test_larger_is_better_when_the_objective_says_so(one: Curve) -> None:
    seen = [value for value in one.best() if value is not None]
    assert seen == sorted(seen)


@given(one=curves(), axis=st.sampled_from(Axis))
def test_a_curve_reaches_exactly_what_it_shows(one: Curve, axis: Axis) -> None:
    for value in {best for best in one.best() if best is not None}:
        reached = one.reached(value, axis)
        assert reached is not None
        assert one.best_at([reached], axis) == [value]
        assert one.best_at([reached - 0.01], axis) != [value]
    assert one.reached(0.001, axis) is None


@given(one=curves(), axis=st.sampled_from(Axis))
def test_a_harder_target_never_takes_less_work(one: Curve, axis: Axis) -> None:
    values = sorted({best for best in one.best() if best is not None}, reverse=True)
    works = [one.reached(value, axis) for value in values]
    assert works == sorted(works, key=lambda work: work or 0.0)


@given(one=curves(), axis=st.sampled_from(Axis))
def test_a_session_is_exactly_as_fast_as_itself(one: Curve, axis: Axis) -> None:
    result = speed_up(arm("cold", one), arm("warm", one), axis)
    if one.final is None:
        assert result is None, "there is no value to reach"
        return
    assert (result.ratios, result.never_reached) == ((1.0,), 0)


@given(values=st.lists(st.floats(0.01, 100), min_size=1, max_size=9))
def test_the_median_lies_in_its_interval_and_that_in_the_data(values: list[float]) -> None:
    estimate = median_interval(values)
    assert min(values) <= estimate.low <= estimate.median <= estimate.high <= max(values)
    assert estimate.count == len(values)


@given(values=st.lists(st.integers(1, 1000), min_size=2, max_size=8, unique=True))
def test_an_interval_of_few_values_is_their_span(values: list[int]) -> None:
    estimate = median_interval(values)
    is_span = (estimate.low, estimate.high) == (min(values), max(values))
    assert is_span == (span_coverage(len(values)) is not None)


def test_a_span_holds_the_median_as_often_as_is_said() -> None:
    assert [span_coverage(count) for count in (1, 2, 3, 5, 6)] == [0.0, 0.5, 0.75, 0.9375, None]
    draws = np.random.default_rng(0).uniform(-1, 1, (20_000, 4))
    held = np.mean((draws.min(axis=1) < 0) & (draws.max(axis=1) > 0))
    assert held == pytest.approx(span_coverage(4), abs=0.01)


def test_a_long_comparison_of_many_seeds_needs_little_memory() -> None:
    """At once it would take 600 x 2000 x 15 numbers, 144 MB, and its medians a copy."""
    many = arm("warm", *(curve(*range(90, 50, -1), pace=9 + seed / 9) for seed in range(15)))
    tracemalloc.start()
    over = band(many, Axis.SECONDS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(over.positions) > 500
    assert peak < 100 << 20
    bests = [run.curve.best_at([over.positions[-1]], Axis.SECONDS)[0] for run in many.runs]
    last = median_interval([best for best in bests if best is not None])
    assert (over.low[-1], over.median[-1], over.high[-1]) == (last.low, last.median, last.high)


@given(ones=st.lists(curves(), min_size=1, max_size=5), axis=st.sampled_from(Axis))
def test_a_band_holds_its_median_and_never_gets_worse(ones: list[Curve], axis: Axis) -> None:
    over = band(arm("warm", *ones), axis)
    assert len(over.positions) == len(over.median) == len(over.low) == len(over.high)
    assert list(over.positions) == sorted(set(over.positions))
    medians = [value for value in over.median if value is not None]
    assert medians == sorted(medians, reverse=True)
    for low, median, high in zip(over.low, over.median, over.high, strict=True):
        assert low is None or median is None or low <= median
        assert high is None or median is None or median <= high


def test_the_speed_up_counts_work_until_the_cold_best() -> None:
    cold = curve(20, 18, 15, 15, 12)
    warm = curve(20, 11.5, pace=12.5)
    assert speed_up(arm("cold", cold), arm("warm", warm), Axis.TRIALS).ratios == (2.5,)
    assert speed_up(arm("cold", cold), arm("warm", warm), Axis.SECONDS).ratios == (2.0,)


def test_a_warm_session_that_never_gets_there_counts_as_the_worst() -> None:
    cold = [curve(20, 18, 12)] * 3
    warm = [curve(20, 12), curve(20, 15, 14), curve(20, 15, 13)]
    result = speed_up(arm("cold", *cold), arm("warm", *warm), Axis.TRIALS)
    assert result.ratios == (1.5, 0.0, 0.0)
    assert result.never_reached == 2
    assert result.estimate.median == 0.0


def test_a_seed_whose_cold_session_failed_altogether_is_named() -> None:
    cold, warm = arm("cold", curve(None, None), curve(9, 8)), arm("warm", curve(9), curve(9, 7))
    result = speed_up(cold, warm, Axis.TRIALS)
    assert (result.seeds, result.skipped) == ((1,), (0,))


def test_zero_trial_quality_compares_with_the_default_and_with_the_cold_best() -> None:
    cold = arm("cold", curve(20, 18, 12), curve(20, 10), curve(20, 10))
    warm = arm("warm", curve(20, 16), curve(20, 10), curve(20, None))
    quality = zero_trial(cold, warm, "model")
    assert quality.over_default is not None
    assert quality.over_cold_best is not None
    assert quality.over_default.median == 1.25
    assert quality.over_cold_best.median == 0.75
    assert quality.failed == 1
    assert zero_trial(cold, warm, "rules").over_default is None


def test_a_bound_is_no_measured_suggestion() -> None:
    default, bound = curve(20, 30).points
    stopped = Curve(LATENCY, (default, replace(bound, status=TrialStatus.CAPPED)))
    quality = zero_trial(arm("cold", curve(20, 12)), arm("warm", stopped), "model")
    assert quality.over_default is not None
    assert quality.over_cold_best is not None
    assert (quality.over_default.median, quality.over_cold_best.median) == (0.0, 0.0)
    assert quality.failed == 1


def test_a_default_that_failed_and_was_run_anew_is_known_by_its_value() -> None:
    one = curve(None, 8.0, 4.0)
    first, again, last = one.points
    default = replace(one, points=(first, replace(again, source="default"), last))
    assert default.default is not None
    assert default.default.value == 8.0
    assert curve(None).default is None


def test_arms_must_be_comparable() -> None:
    with pytest.raises(UsageError, match="no seed in common"):
        speed_up(Arm("a", (Run(1, curve(1)),)), Arm("b", (Run(2, curve(1)),)), Axis.TRIALS)
    with pytest.raises(UsageError, match="different objectives"):
        speed_up(arm("a", curve(1)), arm("b", curve(1, objective=THROUGHPUT)), Axis.TRIALS)
    with pytest.raises(UsageError, match="one session for each seed"):
        Arm("a", (Run(1, curve(1)), Run(1, curve(1))))


def test_a_result_becomes_a_curve_of_its_search_alone(result) -> None:
    made = session_curve(result)
    assert len(made.points) == 12
    assert made.final == 11.9
    assert made.points[0].seconds == pytest.approx(8.1 + 0.05 + 16.1 + 1.5)
    assert arm_of("model", [result]).runs[0].seed == result.seed
