"""What cheap trials may leave out: laws of the limits, the order, the reuse and the warmth."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.benchmark.cheap import ALL_SAVINGS, FULL_TRIALS, CheapTrials
from llmtune.benchmark.history import History
from llmtune.benchmark.order import discriminating
from llmtune.benchmark.queries import QueryOutcome
from llmtune.benchmark.reuse import reusable
from llmtune.benchmark.savings import BEYOND_DOUBT, DOUBT, Saver, Savings
from llmtune.benchmark.timed_pass import WARM_FACTOR, Limits, run_pass, warm_pass
from llmtune.benchmark.warmth import Warmth, cover, reads
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.postgres.budget import budget
from llmtune.postgres.data_size import DataSize
from llmtune.postgres.plans import PlanNode
from llmtune.trial import Pace, QueryTime, Trial, TrialStatus
from workloads.workload import Query

SPACE = resolve_space(load_catalogue(), 18, Hardware(2, 4 << 30), ["work_mem", "shared_buffers"])
DEFAULT = SPACE.default()
seconds = st.floats(0.001, 100.0)
weights = st.floats(0.1, 10.0)


class FakeServer:
    """Runs queries on a clock of its own: as long as they are said to take, or to the limit."""

    def __init__(self, takes: Mapping[str, float]) -> None:
        self.takes = takes
        self.ran: list[str] = []

    def __call__(self, query: Query, timeout_s: float) -> QueryOutcome:
        self.ran.append(query.id)
        takes = self.takes[query.id]
        if takes > timeout_s:
            return QueryOutcome(query.id, timeout_s, TrialStatus.TIMED_OUT, "stopped")
        return QueryOutcome(query.id, takes, TrialStatus.SUCCEEDED)


def queries(*names: str, weight: float = 1.0, writes: bool = False) -> tuple[Query, ...]:
    return tuple(Query(name, "SELECT 1", name, weight, writes) for name in names)


def work_mem(megabytes: int) -> Configuration:
    return SPACE.configuration({"work_mem": megabytes << 10})


def trial(
    number: int,
    times: Mapping[str, float],
    configuration: Configuration = DEFAULT,
    status: TrialStatus = TrialStatus.SUCCEEDED,
    reused: frozenset[str] = frozenset(),
) -> Trial:
    made = tuple(QueryTime(name, each, name in reused) for name, each in times.items())
    return Trial(number, "test", configuration, status, 1.0, made)


def scan(relation: str, index: str | None = None, cost: float = 1.0) -> PlanNode:
    kind = "Seq Scan" if index is None else "Index Scan"
    return PlanNode(kind, cost, relation=relation, index=index, details=f"{relation} {index}")


@st.composite
def passes(draw: st.DrawFn) -> tuple[tuple[Query, ...], dict[str, float], Limits, float]:
    """Queries, what they take, limits whose bounds none undercuts, and what counts already."""
    count = draw(st.integers(1, 6))
    asked = tuple(Query(f"q{n}", "SELECT 1", f"q{n}", draw(weights)) for n in range(count))
    takes = {query.id: draw(seconds) for query in asked}
    known = draw(st.sets(st.sampled_from(sorted(takes))))
    bounds = {name: takes[name] * draw(st.floats(0.0, 1.0)) for name in known}
    return asked, takes, Limits(math.inf, draw(seconds) * count, bounds), draw(seconds)


@given(passes())
def test_bounds_stop_a_pass_exactly_when_its_total_would_exceed_the_cap(made):
    asked, takes, limits, spent = made
    total = spent + sum(query.weight * takes[query.id] for query in asked)
    result = run_pass(FakeServer(takes), asked, limits, spent)
    if total <= limits.cap * (1 - 1e-9):
        assert (result.status, result.total) == (TrialStatus.SUCCEEDED, pytest.approx(total))
    elif total > limits.cap * (1 + 1e-9):
        assert (result.status, result.total) == (TrialStatus.CAPPED, limits.cap)


@given(passes())
def test_bounds_only_ever_save_time(made):
    asked, takes, limits, spent = made
    blind = Limits(limits.query_timeout_s, limits.cap)
    with_bounds = run_pass(FakeServer(takes), asked, limits, spent)
    without = run_pass(FakeServer(takes), asked, blind, spent)
    assert with_bounds.query_seconds <= without.query_seconds * (1 + 1e-9)


@given(passes(), st.data())
def test_a_warm_pass_stops_no_configuration_that_would_come_in_under_the_cap(made, data):
    asked, takes, limits, spent = made
    colder = {name: s * data.draw(st.floats(1.0, WARM_FACTOR)) for name, s in takes.items()}
    total = spent + sum(query.weight * takes[query.id] for query in asked)
    warmed = warm_pass(FakeServer(colder), asked, limits, spent)
    if total <= limits.cap * (1 - 1e-9):
        assert warmed.status is TrialStatus.SUCCEEDED
        assert warmed.query_seconds == pytest.approx(sum(colder.values()))


def test_a_query_by_itself_has_only_what_the_others_leave():
    asked = queries("quick", "slow", "last")
    server = FakeServer({"quick": 1.0, "slow": 50.0, "last": 4.0})
    result = run_pass(server, asked, Limits(300.0, 10.0, {"quick": 1.0, "slow": 2.0, "last": 4.0}))
    assert (result.status, result.outcomes[-1].seconds) == (TrialStatus.CAPPED, 5.0)
    assert server.ran == ["quick", "slow"]


def test_a_query_timeout_is_no_cap():
    result = run_pass(FakeServer({"q": 50.0}), queries("q"), Limits(20.0, 100.0))
    assert result.status is TrialStatus.TIMED_OUT
    warmed = warm_pass(FakeServer({"q": 50.0}), queries("q"), Limits(20.0, 100.0))
    assert (warmed.status, warmed.query_seconds) == (TrialStatus.TIMED_OUT, 20.0)


def test_history_takes_neither_reused_times_nor_a_stopped_query_for_measured_ones():
    history = History(
        [
            trial(0, {"a": 2.0, "b": 5.0}),
            trial(1, {"a": 1.0, "b": 0.5}, work_mem(64), reused=frozenset({"a"})),
            trial(2, {"a": 3.0, "b": 0.1}, work_mem(128), TrialStatus.CAPPED),
        ]
    )
    assert history.fastest() == {"a": 2.0, "b": 0.5}
    assert history.typical("a") == 2.5
    assert (history.configurations("b"), history.configurations("c")) == (3, 0)


def test_the_query_that_tells_configurations_apart_comes_first():
    times = [{"steady": 9.0, "moving": 1.0}, {"steady": 9.1, "moving": 3.0}]
    times.append({"steady": 9.0, "moving": 8.0})
    history = History(
        trial(number, each, work_mem(64 << number)) for number, each in enumerate(times)
    )
    plans = {"steady": scan("a"), "moving": scan("b")}
    ordered = discriminating(queries("steady", "moving"), history, plans, plans)
    assert [query.id for query in ordered] == ["moving", "steady"]


def test_before_there_are_trials_the_query_whose_cost_stands_out_comes_first():
    """All costs are scaled by a changed cost knob, which means nothing."""
    names = ("a", "b", "c")
    default = {name: scan(name, cost=1000.0) for name in names}
    plans = {name: scan(name, cost=4000.0) for name in names} | {"b": scan("b", cost=90000.0)}
    ordered = discriminating(queries(*names), History([]), default, plans)
    assert [query.id for query in ordered] == ["b", "a", "c"]


def same(query_id: str, configuration: Configuration) -> tuple[object, ...]:
    return (query_id,)


def by_memory(query_id: str, configuration: Configuration) -> tuple[object, ...]:
    return (query_id, configuration["work_mem"])


def test_only_times_under_equal_conditions_are_reused():
    earlier = History([trial(0, {"a": 1.0, "b": 2.0}), trial(1, {"a": 1.2, "b": 2.0})])
    known = reusable(queries("a", "b", "new"), earlier, DEFAULT, by_memory)
    assert known == {"a": pytest.approx(1.1), "b": 2.0}
    assert reusable(queries("a", "b"), earlier, work_mem(64), by_memory) == {}


def test_times_that_disagree_are_measured_again():
    times = [{"a": 1.0, "b": 2.0, "blink": 0.01}, {"a": 1.0, "b": 3.0, "blink": 0.02}]
    earlier = History(trial(number, each) for number, each in enumerate(times))
    known = reusable(queries("a", "b", "blink"), earlier, DEFAULT, same)
    assert set(known) == {"a", "blink"}, "what is too short to matter may differ"


@given(st.dictionaries(st.sampled_from("abcdef"), seconds, min_size=1))
def test_a_trial_always_measures_something(times):
    known = reusable(queries(*times), History([trial(0, times)]), DEFAULT, same)
    assert len(known) == len(times) - 1
    assert set(times) - set(known) == {max(times, key=times.__getitem__)}


def test_a_query_that_writes_is_always_run():
    asked = (*queries("a"), *queries("w", writes=True))
    known = reusable(asked, History([trial(0, {"a": 1.0, "w": 1.0})]), DEFAULT, same)
    assert set(known) == {"a"}


def test_only_what_was_not_read_is_warmed_and_by_the_quickest_queries():
    plans = {"slow": scan("big"), "quick": scan("big"), "index": scan("big", "key")}
    costs = {"slow": 9.0, "quick": 1.0, "index": 1.0}
    asked = queries(*plans)

    def chosen(*warm: str) -> list[str]:
        found = cover(asked, plans, frozenset(warm), lambda query: costs[query.id])
        return [query.id for query in found]

    assert sorted(chosen()) == ["index", "quick"]
    assert chosen("big") == ["index"]
    assert chosen("big", "key") == []


def test_where_all_stays_in_memory_only_whole_tables_are_warmed():
    plans = {"whole": scan("big"), "index": scan("big", "key"), "other": scan("small")}
    plans["largest"] = scan("largest")
    buffers = budget(work_mem(64), SPACE).shared_buffers
    tables = {"big": 0.2 * buffers, "small": 1.0, "largest": 0.3 * buffers}
    small, large = (
        Saver(queries(*plans), SPACE, lambda configuration: plans, DataSize(size, tables))
        for size in (1e6, 10.0 * SPACE.hardware.memory)
    )

    def warmed(saver: Saver, read: set[str], ever: set[str]) -> tuple[set[str], set[str]]:
        cheap = CheapTrials(skip_warm=True)
        savings = saver.savings(work_mem(64), cheap, [], Limits(300.0, 10.0))
        warm = savings.warm(Warmth(read=read, ever=read | ever))
        by_queries = savings.to_warm(savings.queries, warm)
        return set(savings.to_read(savings.queries, warm)), {query.id for query in by_queries}

    every = {"big", "small", "largest"}
    assert warmed(small, set(), set()) == (every, {"whole", "other", "largest"})
    assert warmed(small, {"small"}, {"big"}) == ({"big", "largest"}, {"whole", "largest"})
    assert warmed(small, {"small", "big"}, {"largest"}) == (set(), set()), "a ring keeps nothing"
    assert warmed(large, {"small"}, every) == (set(), {"whole", "index", "largest"})


relations = st.sets(st.sampled_from("rstuv"), min_size=1)


@given(st.lists(relations, min_size=1, max_size=6), st.sets(st.sampled_from("rstuv")))
def test_behind_a_cover_everything_is_warm(read, warm):
    plans = {
        f"q{number}": PlanNode("Append", 1.0, children=tuple(map(scan, sorted(names))))
        for number, names in enumerate(read)
    }
    chosen = cover(queries(*plans), plans, frozenset(warm), lambda query: 1.0)
    assert set().union(warm, *(reads(plans[query.id]) for query in chosen)) >= set().union(*read)


@given(seconds, seconds, seconds, st.floats(0.5, 2.0))
def test_what_may_be_the_best_is_told_at_the_pace_of_its_own_passes(best, total, probe_s, slower):
    savings = Savings(queries("a"), Limits(300.0), best=best, probe_s=probe_s)
    may_be = total < DOUBT * best
    assert savings.may_be_best(total, None) is savings.may_be_best(total, probe_s) is may_be
    later = Pace(slower * probe_s, probe_s)
    at_its_pace = total / later.ratio
    assert savings.may_be_best(total, later.probe_s) is (at_its_pace < DOUBT * best)
    assert savings.may_be_best(total, later.probe_s, 1.0) is (at_its_pace + 1.0 < DOUBT * best)


@given(seconds, seconds)
def test_in_doubt_is_what_may_be_the_best_and_is_not_surely_so(best, total):
    savings = Savings(queries("a"), Limits(300.0), best=best)
    surely = total <= BEYOND_DOUBT * best
    assert savings.in_doubt(total, None) is (savings.may_be_best(total, None) and not surely)
    assert not Savings(queries("a"), Limits(300.0)).in_doubt(total, None), "nothing was spared"


def test_savings_are_those_that_were_asked_for():
    plans = {"a": scan("r"), "b": scan("s")}
    saver = Saver(queries("a", "b"), SPACE, lambda configuration: plans, DataSize(1e6, {}))
    earlier, limits = [trial(0, {"a": 1.0, "b": 3.0})], Limits(300.0, 10.0)
    none = saver.savings(work_mem(64), FULL_TRIALS, earlier, limits)
    assert (none.reused, none.limits) == ({}, limits)
    assert none.best == 1.0, "what the earlier one was worth"
    assert none.to_warm(none.queries, frozenset("rs")) == queries("a", "b") == none.queries
    reuse = saver.savings(work_mem(64), CheapTrials(reuse=True), earlier, limits)
    assert (reuse.reused, reuse.queries) == (dict.fromkeys(queries("a"), 1.0), queries("b"))
    every = saver.savings(work_mem(64), ALL_SAVINGS, earlier, limits)
    assert every.limits.bounds == {"a": 1.0, "b": 3.0}
    assert every.to_warm(every.queries, frozenset("s")) == ()
    assert saver.savings(work_mem(64), ALL_SAVINGS, earlier, limits) == every, "pure"
