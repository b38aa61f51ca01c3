"""The machine's pace is watched between queries and taken out of their times."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.benchmark.benchmark import Benchmark
from llmtune.benchmark.cheap import CheapTrials
from llmtune.benchmark.measure_options import MeasureOptions
from llmtune.benchmark.pace import (
    FEWEST,
    MOST,
    SHARE,
    PaceKeeper,
    PaceMeter,
    at_pace,
    probe,
    steadied,
)
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.trial import Pace, QueryTime, Trial, TrialStatus
from workloads.tpch import tpch_workload
from workloads.workload import Query, Workload

PROBE_S = 0.002
RATIOS = st.floats(0.2, 5.0)
SECONDS = st.lists(st.floats(0.001, 100.0), min_size=1, max_size=8)


class Machine:
    """Does the work in the same time always, and counts."""

    def __init__(self) -> None:
        self.probes: list[int] = []

    def __call__(self, times: int) -> tuple[float, ...]:
        self.probes.append(times)
        return (PROBE_S,) * times


def trial(seconds: list[float], status: TrialStatus = TrialStatus.SUCCEEDED) -> Trial:
    times = tuple(QueryTime(f"q{n}", one) for n, one in enumerate(seconds))
    return Trial(0, "test", Configuration({}), status, sum(seconds), times)


def test_every_query_is_followed_by_probes_and_long_ones_by_their_share():
    machine = Machine()
    meter = PaceMeter(machine, queries=FEWEST // 2)
    for seconds in (0.001, 0.001, 1.0, 1000.0):
        meter.after(seconds)
    few, again, share, most = machine.probes
    assert (few, again, most) == (2, 2, MOST)
    assert share == pytest.approx(SHARE * 1.0 / PROBE_S, abs=5)
    assert meter.mean == pytest.approx(PROBE_S)


@pytest.mark.parametrize("queries", [1, 7, 22, 500])
def test_a_short_pass_has_enough_probes(queries):
    machine = Machine()
    meter = PaceMeter(machine, queries)
    assert meter.mean is None
    for _ in range(queries):
        meter.after(0.0001)
    assert sum(machine.probes) >= FEWEST


def test_probes_that_fail_tell_of_no_pace():
    meter = PaceMeter(lambda _times: (), queries=2)
    meter.after(1.0)
    meter.after(1.0)
    assert meter.mean is None
    assert PaceKeeper().take(None) is None


def test_the_first_trial_is_the_reference_unless_a_session_goes_on():
    keeper = PaceKeeper()
    first, second = keeper.take(0.002), keeper.take(0.003)
    assert (first, second) == (Pace(0.002, 0.002), Pace(0.003, 0.002))
    assert 1 < keeper.present < 1.5, "queries feel a part of what the probe does"
    later = PaceKeeper()
    later.keep(0.002)
    assert later.take(0.003) == second


def test_at_another_reference_the_machine_is_as_slow_as_it_was():
    keeper = PaceKeeper()
    keeper.take(0.002)
    keeper.keep(0.001)
    assert keeper.present == Pace(0.002, 0.001).ratio


@given(seconds=SECONDS, ratio=RATIOS)
def test_a_slower_machine_changes_no_steady_trial(seconds, ratio):
    calm, pace = trial(seconds), Pace(ratio, 1.0)
    slow = steadied(trial([one * pace.ratio for one in seconds]), pace, spent=0.0, reused_at=1.0)
    assert slow.value == pytest.approx(calm.value)
    assert [one.seconds for one in slow.query_times] == pytest.approx(seconds)


@given(seconds=SECONDS, ratio=RATIOS, before=RATIOS)
def test_reused_times_come_back_as_they_were(seconds, ratio, before):
    (earlier,) = at_pace([trial(seconds)], before)
    spent = sum(one.seconds for one in earlier.query_times)
    times = tuple(replace(one, reused=True) for one in earlier.query_times)
    again = Trial(1, "test", Configuration({}), TrialStatus.SUCCEEDED, spent, times)
    steady = steadied(again, Pace(ratio, 1.0), spent=spent, reused_at=before)
    assert steady.value == pytest.approx(sum(seconds))
    assert [one.seconds for one in steady.query_times] == pytest.approx(seconds)


@pytest.mark.parametrize("wrong", [(0.0, 1.0), (1.0, -1.0)])
def test_a_pace_without_time_is_refused(wrong):
    with pytest.raises(ValueError, match="positive"):
        Pace(*wrong)


@pytest.fixture
def benchmark(embedded, tpch_tiny):
    """Makes a benchmark of two small queries."""
    texts = ("SELECT count(*) FROM nation", "SELECT count(*) FROM lineitem")
    made = tuple(Query(f"q{n}", text, f"q{n}", 1.0) for n, text in enumerate(texts))
    workload = Workload("test", made, tpch_workload(0.01, 1).data_set)
    space = resolve_space(load_catalogue(), embedded.version, Hardware(2, 1 << 30), ["work_mem"])

    def make(*, steady: bool = True) -> Benchmark:
        options = MeasureOptions(steady=steady)
        return Benchmark(embedded, space, workload, tpch_tiny, options)

    return make


def test_a_real_trial_says_at_which_pace_it_was_made(benchmark):
    measuring = benchmark()
    first, second = (
        measuring.measure(measuring.space.baseline(), number=n, source="test") for n in range(2)
    )
    assert first.pace.ratio == 1.0
    assert second.pace.reference_s == first.pace.probe_s
    assert second.value == pytest.approx(sum(one.seconds for one in second.query_times))
    assert first.measured_s < first.wall_s


def test_a_trial_is_held_against_the_reference_of_the_session_that_goes_on(benchmark):
    measuring = benchmark()
    measuring.keep_pace(1e-6)
    slow = measuring.measure(measuring.space.baseline(), number=0, source="test")
    assert slow.pace.reference_s == 1e-6
    assert slow.value == pytest.approx(sum(one.seconds for one in slow.query_times))
    assert slow.value * 100 < slow.measured_s


@pytest.fixture
def sleeping(embedded, tpch_tiny):
    """A benchmark of two queries that take a fifth of a second each."""
    asked = tuple(Query(name, "SELECT pg_sleep(0.2)", name) for name in ("sleep", "again"))
    workload = Workload("test", asked, tpch_workload(0.01, 1).data_set)
    space = resolve_space(load_catalogue(), embedded.version, Hardware(2, 1 << 30), ["work_mem"])
    return Benchmark(embedded, space, workload, tpch_tiny)


def test_the_first_trial_of_a_session_that_goes_on_is_stopped_by_the_pace_of_today(sleeping):
    """The reference's machine did the work in a microsecond, so there a cap of 50 ms is long."""
    sleeping.keep_pace(1e-6)
    base, cap = sleeping.space.baseline(), 0.05
    trial = sleeping.measure(base, number=3, source="test", cap=cap)
    assert trial.status is TrialStatus.SUCCEEDED, trial.message
    assert trial.value < cap


def test_the_first_trial_of_a_session_that_goes_on_is_the_best_by_the_pace_of_today(sleeping):
    sleeping.keep_pace(1e-6)
    base = sleeping.space.baseline()
    times = tuple(QueryTime(name, 0.01) for name in ("sleep", "again"))
    best = replace(trial([0.05]), configuration=base, query_times=times)
    cheap = CheapTrials(reuse=True)
    whole = sleeping.measure_cheaply(base, number=3, source="test", cheap=cheap, earlier=[best])
    assert whole.value < best.value
    assert not any(one.reused for one in whole.query_times)


def test_timeouts_of_a_matrix_that_grows_are_told_by_the_pace_of_today(sleeping):
    sleeping.keep_pace(1e-6)
    limits_s = dict.fromkeys(("sleep", "again"), 0.05)
    for outcome in sleeping.measure_queries(sleeping.space.baseline(), limits_s):
        assert outcome.status is TrialStatus.SUCCEEDED, outcome.message


def test_what_an_earlier_trial_measured_is_reused_at_its_own_value(benchmark):
    measuring, cheap = benchmark(), CheapTrials(reuse=True)
    base = measuring.space.baseline()
    earlier = measuring.measure(base, number=0, source="test")
    unbeaten = replace(earlier, value=1e-6, query_times=())
    reusing = measuring.measure_cheaply(
        base, number=1, source="test", cheap=cheap, earlier=[earlier, unbeaten]
    )
    known = {one.query_id: one.seconds for one in earlier.query_times}
    reused = [one for one in reusing.query_times if one.reused]
    assert len(reused) == 1, "one query of two is run anyway"
    assert reused[0].seconds == pytest.approx(known[reused[0].query_id])


def test_what_only_seemed_the_best_is_wholly_at_its_own_pace(embedded, tpch_tiny):
    texts = {"count": "SELECT count(*) FROM nation", "sleep": "SELECT pg_sleep(0.4)"}
    made = tuple(Query(name, text, name) for name, text in texts.items())
    workload = Workload("test", made, tpch_workload(0.01, 1).data_set)
    space = resolve_space(load_catalogue(), embedded.version, Hardware(2, 1 << 30), ["work_mem"])
    measuring = Benchmark(embedded, space, workload, tpch_tiny, MeasureOptions(warm_passes=0))
    base = space.baseline()
    first = measuring.measure(base, number=0, source="test")
    times = (QueryTime("count", 10.0), QueryTime("sleep", 0.001))
    # With the reused time 0.2 s is undercut, so the rest is run too; then it is not any more.
    lucky = replace(first, value=0.2, query_times=times)
    whole = measuring.measure_cheaply(
        base, number=1, source="test", cheap=CheapTrials(reuse=True), earlier=[lucky]
    )
    assert not any(one.reused for one in whole.query_times)
    assert whole.pace.ratio != 1.0
    assert whole.value == pytest.approx(sum(one.seconds for one in whole.query_times))


def test_queries_by_themselves_are_steady_too(benchmark):
    measuring = benchmark()
    measuring.keep_pace(1e-6)
    paced = measuring.measure_queries(measuring.space.baseline(), {})
    assert [one.pace.reference_s for one in paced] == [1e-6] * 2
    assert all(one.seconds * one.pace.ratio < 5 for one in paced)
    raw = benchmark(steady=False)
    assert all(one.pace is None for one in raw.measure_queries(raw.space.baseline(), {}))


def test_raw_times_are_left_alone(benchmark):
    measuring = benchmark(steady=False)
    raw = measuring.measure(measuring.space.baseline(), number=0, source="test")
    assert raw.pace is None
    assert raw.value == pytest.approx(sum(one.seconds for one in raw.query_times))


def test_no_setting_of_the_session_changes_the_work(embedded, tpch_tiny):
    hostile = {"enable_material": "off", "enable_nestloop": "off", "statement_timeout": "1"}
    with embedded.connect(tpch_tiny, hostile) as session:
        assert len(probe(session, 3)) == 3
        shown = session.execute("SHOW enable_material").fetchone()
        assert shown == ("off",)
        assert session.info.transaction_status.name == "IDLE"


def test_a_lost_connection_gives_no_probes(embedded, tpch_tiny):
    with embedded.connect(tpch_tiny) as session:
        session.close()
        assert probe(session, 2) == ()
