"""Cheap trials on a real server: what is run, what is spared, and that the trial says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from llmtune.benchmark.benchmark import Benchmark
from llmtune.benchmark.cheap import (
    ALL_SAVINGS,
    FULL_TRIALS,
    ONLY_CAPPED,
    CheapTrials,
    MeasuresCheaply,
)
from llmtune.benchmark.measure_options import MeasureOptions
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.settings import SettingsApplier
from llmtune.postgres.what_if_plans import WhatIfPlans
from llmtune.trial import Trial, TrialStatus
from llmtune.tuning.new_record import new_record
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import Phase, Request, SessionRecord
from llmtune.tuning.session import TuningSession
from llmtune.tuning.store import SessionStore
from workloads.tpch import tpch_workload
from workloads.workload import Query, Workload

KNOBS = ["shared_buffers", "work_mem", "random_page_cost", "enable_nestloop"]
SORT = (
    "SELECT max(place) FROM"
    " (SELECT row_number() OVER (ORDER BY l_comment, l_tax) AS place FROM lineitem) AS sorted"
)
SCAN = "SELECT count(*) FROM orders"
JOIN = "SELECT count(*) FROM orders JOIN lineitem ON o_orderkey = l_orderkey WHERE o_orderkey < 99"
QUERIES = {"sort": SORT, "scan": SCAN, "join": JOIN}


@pytest.fixture
def space(embedded: EmbeddedTarget) -> KnobSpace:
    return resolve_space(load_catalogue(), embedded.version, Hardware(2, 1 << 30), KNOBS)


@pytest.fixture(autouse=True)
def settings_put_back(embedded: EmbeddedTarget, space: KnobSpace) -> Iterator[None]:
    applier = SettingsApplier(embedded, space)
    yield
    applier.apply(space.baseline())


class Watched:
    """A benchmark over three queries, and how often each of them has run."""

    def __init__(
        self,
        target: EmbeddedTarget,
        database: str,
        space: KnobSpace,
        texts: Mapping[str, str] = QUERIES,
    ) -> None:
        queries = tuple(Query(name, text, name) for name, text in texts.items())
        workload = Workload("test", queries, tpch_workload(0.01, 1).data_set)
        self.benchmark = Benchmark(target, space, workload, database, MeasureOptions(steady=False))
        self.space = space
        self.trials: list[Trial] = []

    def full(self) -> Trial:
        return self._take(
            self.benchmark.measure(self.space.default(), number=len(self.trials), source="test")
        )

    def cheap(
        self,
        cheap: CheapTrials,
        changes: dict[str, object],
        cap: float | None = None,
        earlier: Sequence[Trial] | None = None,
    ) -> Trial:
        configuration = self.space.configuration(changes)
        return self._take(
            self.benchmark.measure_cheaply(
                configuration,
                number=len(self.trials),
                source="test",
                cheap=cheap,
                earlier=self.trials if earlier is None else earlier,
                cap=cap,
            )
        )

    def _take(self, trial: Trial) -> Trial:
        self.trials.append(trial)
        return trial


@pytest.fixture
def watched(embedded: EmbeddedTarget, tpch_tiny: str, space: KnobSpace) -> Watched:
    return Watched(embedded, tpch_tiny, space)


UNBEATEN = Trial(99, "test", Configuration({}), TrialStatus.SUCCEEDED, 1e-6)
"""A better trial than any other, of which no query's time is known."""


def reused(trial: Trial) -> set[str]:
    return {time.query_id for time in trial.query_times if time.reused}


def warm_seconds(trial: Trial) -> float:
    """Query seconds beside those of the timed pass."""
    timed = sum(time.seconds for time in trial.query_times if not time.reused)
    return max(trial.measured_s - timed, 0.0)


def test_without_savings_a_trial_is_a_full_one(watched):
    watched.full()
    trial = watched.cheap(FULL_TRIALS, {"work_mem": 8192})
    assert trial.status is TrialStatus.SUCCEEDED
    assert [time.query_id for time in trial.query_times] == ["sort", "scan", "join"]
    assert reused(trial) == set()
    assert warm_seconds(trial) > 0


def test_only_queries_that_a_change_can_reach_are_run_again(watched):
    full = watched.full()
    earlier = [full, UNBEATEN]
    trial = watched.cheap(CheapTrials(reuse=True), {"work_mem": 65536}, earlier=earlier)
    assert reused(trial) == {"scan", "join"}, "only the sort spilled"
    known = {time.query_id: time.seconds for time in full.query_times}
    assert all(known[t.query_id] == t.seconds for t in trial.query_times if t.reused)
    assert trial.value == pytest.approx(sum(time.seconds for time in trial.query_times))


def test_a_changed_plan_is_always_run(watched, embedded, tpch_tiny):
    watched.full()
    plans = WhatIfPlans(embedded, tpch_tiny, watched.benchmark.workload, watched.space)
    changes = {"enable_nestloop": False, "random_page_cost": 1.0}
    before, after = plans(watched.space.default()), plans(watched.space.configuration(changes))
    moved = {n for n in before if before[n].fingerprint() != after[n].fingerprint()}
    assert moved
    assert not reused(watched.cheap(CheapTrials(reuse=True), changes)) & moved


def test_where_no_run_changes_the_costliest_query_is_still_run(watched):
    earlier = [watched.full(), UNBEATEN]
    trial = watched.cheap(CheapTrials(reuse=True), {"random_page_cost": 4.1}, earlier=earlier)
    assert reused(trial) == {"scan", "join"}


def slower(trial: Trial, factor: float, only: str) -> Trial:
    """The trial as if one of its queries had taken so many times longer."""
    times = tuple(
        replace(time, seconds=time.seconds * factor) if time.query_id == only else time
        for time in trial.query_times
    )
    return replace(trial, value=sum(time.seconds for time in times), query_times=times)


def test_what_would_be_the_best_by_reused_times_is_measured_whole(watched):
    lucky = slower(slower(watched.full(), 0.1, "scan"), 10, "sort")
    cheap, changes = CheapTrials(reuse=True), {"work_mem": 65536}
    trial = watched.cheap(cheap, changes, earlier=[lucky])
    assert trial.value < lucky.value
    assert not reused(trial)
    assert {time.query_id for time in trial.query_times} == {"sort", "scan", "join"}
    assert trial.value == pytest.approx(sum(time.seconds for time in trial.query_times))
    scan, luck = (
        next(time.seconds for time in one.query_times if time.query_id == "scan")
        for one in (trial, lucky)
    )
    assert scan > 2 * luck, "the luck is not passed on"


def test_what_may_be_the_best_is_timed_twice_unless_it_surely_is(embedded, tpch_tiny, space):
    watched = Watched(embedded, tpch_tiny, space, {"sleep": "SELECT pg_sleep(1)"})
    cheap, changes = CheapTrials(skip_warm=True), {"work_mem": 65536}

    def passes(best: float) -> int:
        trial = watched.cheap(cheap, changes, earlier=[replace(UNBEATEN, value=best)])
        assert trial.value == pytest.approx(1.0, abs=0.03)
        return round(trial.measured_s)

    assert passes(0.5) == 1
    assert passes(1.02) == 2
    assert passes(2.0) == 1


STALLING = """
    SELECT pg_sleep(CASE WHEN set_config('test.runs', (runs.before + 1)::text, false)::int > 2
                    THEN 1 ELSE 0.5 END)
    FROM (SELECT coalesce(current_setting('test.runs', true), '0')::int AS before) AS runs
"""
"""Takes half a second when a session runs it once or twice, and a whole one from then on."""


def test_a_machine_that_stalls_in_the_second_pass_makes_no_bound_of_the_trial(
    embedded, tpch_tiny, space
):
    watched = Watched(embedded, tpch_tiny, space, {"stalls": STALLING})
    best = replace(UNBEATEN, value=0.51)
    trial = watched.cheap(CheapTrials(bounds=True), {"work_mem": 8192}, cap=0.6, earlier=[best])
    assert trial.status is TrialStatus.SUCCEEDED, trial.message
    assert 0.75 <= trial.value < 1.0, "the mean of both passes, which lies beyond the cap"
    assert [time.query_id for time in trial.query_times] == ["stalls"]


def test_a_cap_stops_what_only_seemed_the_best(embedded, tpch_tiny, space):
    watched = Watched(embedded, tpch_tiny, space, {"sort": SORT, "sleep": "SELECT pg_sleep(1)"})
    lucky = slower(slower(watched.full(), 1e-3, "sleep"), 10, "sort")
    changes, cap = {"work_mem": 65536}, 0.5
    trial = watched.cheap(CheapTrials(reuse=True), changes, cap, earlier=[lucky])
    assert (trial.status, trial.value) == (TrialStatus.CAPPED, cap)
    assert trial.wall_s < 1.5, "it was stopped while its rest was warmed"
    assert [one.query_id for one in trial.query_times] == ["sort", "sleep"]


def test_what_the_running_server_has_read_is_not_warmed_again(watched, embedded):
    only_warm = CheapTrials(skip_warm=True)

    def warmed(work_mem: int) -> float:
        trial = watched.cheap(only_warm, {"work_mem": work_mem}, earlier=[UNBEATEN])
        return warm_seconds(trial)

    assert warmed(4096) > 0
    assert warmed(8192) == 0
    embedded.restart()
    assert warmed(4096) > 0


def test_bounds_stop_a_hopeless_trial_and_no_other(watched):
    full = watched.full()
    cap = 0.05 * full.value
    trial = watched.cheap(CheapTrials(bounds=True), {"work_mem": 8192}, cap=cap)
    assert (trial.status, trial.value) == (TrialStatus.CAPPED, cap)
    assert len(trial.query_times) < len(full.query_times)
    passing = watched.cheap(ALL_SAVINGS, {"work_mem": 8192}, cap=full.value * 50)
    assert passing.status is TrialStatus.SUCCEEDED


def test_a_configuration_that_cannot_be_planned_gets_a_full_trial(embedded, tpch_tiny, space):
    queries = (Query("broken", "SELECT no_such_column", "broken"),)
    workload = Workload("test", queries, tpch_workload(0.01, 1).data_set)
    benchmark = Benchmark(embedded, space, workload, tpch_tiny, MeasureOptions(steady=False))
    trial = benchmark.measure_cheaply(
        space.default(), number=0, source="test", cheap=ALL_SAVINGS, earlier=()
    )
    assert trial.status is TrialStatus.FAILED
    assert "no_such_column" in trial.message


class Spy:
    """An evaluator that notes which of its trials were cheap; none of them may be the best."""

    def __init__(self, inner: Benchmark) -> None:
        self.space, self.objective, self._inner = inner.space, inner.objective, inner
        self.calls: list[tuple[str, Configuration]] = []

    def measure(self, configuration: Configuration, **terms: object) -> Trial:
        self.calls.append(("full", configuration))
        return self._inner.measure(configuration, **terms)

    def measure_cheaply(
        self, configuration: Configuration, *, earlier: Sequence[Trial], **terms: object
    ) -> Trial:
        self.calls.append(("cheap", configuration))
        return self._inner.measure_cheaply(configuration, earlier=[*earlier, UNBEATEN], **terms)


def test_a_session_measures_its_search_cheaply_and_its_decision_in_full(
    embedded, tpch_tiny, space, tmp_path
):
    without_restarts = space.subset(["work_mem", "random_page_cost"])
    spy = Spy(Watched(embedded, tpch_tiny, without_restarts).benchmark)
    assert isinstance(spy, MeasuresCheaply)
    plan = Plan(4, default_repeats=1, prune_trials=2, confirm_runs=2, cheap=ALL_SAVINGS)
    store = SessionStore(f"sqlite:///{tmp_path}/sessions.db")
    record = new_record(spy, Request("test", "test", "random", "none", 1, plan))
    TuningSession.start(spy, store, record).run()
    assert store.summary(record.id).record.plan == plan, "a resumed session keeps its savings"
    journal = store.journal(record.id)
    baseline = spy.space.baseline()
    for (way, configuration), entry in zip(spy.calls, journal, strict=True):
        searched = entry.phase is Phase.SEARCH and configuration != baseline
        assert way == ("cheap" if searched else "full")
        assert entry.trial.configuration == configuration
        assert searched or not reused(entry.trial)
    assert any(reused(entry.trial) for entry in journal), "the store keeps what was reused"


def test_a_session_from_before_the_savings_goes_on_with_none_but_the_cap(watched):
    record = new_record(watched.benchmark, Request("test", "test", "random", "none", 1, Plan(4)))
    facts = record.facts()
    del facts["plan"]["cheap"]
    stored = SessionRecord.from_facts(record.id, record.target, record.workload, facts)
    assert stored.plan.cheap == ONLY_CAPPED
