"""TPC-H as a workload, workloads by name, and mixes drawn from them."""
# ruff: noqa: S311 - draws for tests, not secrets

import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.errors import UnknownName, UsageError
from workloads import registry
from workloads.entries import WorkloadEntry
from workloads.mixes import draw_mix
from workloads.options import WorkloadOptions
from workloads.tpch import tpch_workload
from workloads.workload import Workload

TPCH = tpch_workload(0.1)


def test_ids_and_templates_without_a_seed() -> None:
    assert [query.id for query in TPCH.queries] == [f"q{number}" for number in range(1, 23)]
    assert {query.template for query in TPCH.queries} == {f"tpch-q{n}" for n in range(1, 23)}
    assert TPCH.data_set.name == TPCH.name == "tpch-sf0.1"


def test_streams_share_templates_and_data_but_no_ids() -> None:
    workload = tpch_workload(0.1, seed=3, streams=4)
    assert len({query.id for query in workload.queries}) == 88
    assert workload.queries[25].id == "q4.2"
    assert {query.template for query in workload.queries} == {q.template for q in TPCH.queries}
    assert workload.data_set == tpch_workload(0.1).data_set


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf])
def test_a_scale_that_is_not_positive_is_refused(scale: float) -> None:
    with pytest.raises(UsageError, match="scale factor"):
        registry.workload("tpch", WorkloadOptions(scale))


@pytest.mark.parametrize(("seed", "streams"), [(1, 0), (None, 2)])
def test_impossible_streams_are_refused(seed: int | None, streams: int) -> None:
    with pytest.raises(UsageError, match="streams"):
        tpch_workload(1.0, seed, streams)


def test_a_workload_by_name() -> None:
    assert registry.workload("tpch", WorkloadOptions(0.1, 9)) == tpch_workload(0.1, 9)
    assert "tpch" in registry.names()
    with pytest.raises(UnknownName, match="did you mean 'tpch'"):
        registry.workload("tpc-h")


@st.composite
def bounds(draw: st.DrawFn) -> tuple[int, int]:
    smallest = draw(st.integers(1, 30))
    return smallest, draw(st.integers(smallest, 40))


@given(seed=st.integers(), limits=bounds(), count=st.integers(1, 22))
def test_a_mix_is_a_weighted_sub_workload(seed: int, limits: tuple[int, int], count: int) -> None:
    workload = replace(TPCH, queries=TPCH.queries[:count])
    mix = draw_mix(workload, Random(seed), *limits)
    assert min(limits[0], count) <= len(mix.queries) <= min(limits[1], count)
    assert all(0.1 <= query.weight <= 10 for query in mix.queries)
    assert [q.id for q in mix.queries] == [q.id for q in workload.queries if kept(mix, q.id)]
    assert mix.data_set is workload.data_set
    assert mix == draw_mix(workload, Random(seed), *limits)


def kept(mix: Workload, query_id: str) -> bool:
    return any(query.id == query_id for query in mix.queries)


def test_different_mixes_have_different_names() -> None:
    rng = Random(1)
    mixes = [draw_mix(TPCH, rng) for _ in range(200)]
    assert len({mix.name for mix in mixes}) == 200


@pytest.mark.parametrize("limits", [(0, 5), (6, 5)])
def test_impossible_mix_sizes_are_refused(limits: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="mix sizes"):
        draw_mix(TPCH, Random(1), *limits)


@pytest.mark.parametrize("entry", registry.entries(), ids=lambda entry: entry.name)
def test_an_entry_tells_the_scale_that_its_builder_takes(entry: WorkloadEntry) -> None:
    if entry.build is None or entry.scale is None:
        assert "scale" not in entry.takes or "data_set" in entry.takes
        return
    default, said = (entry.build(WorkloadOptions(scale)) for scale in (None, entry.scale))
    assert (default.name, default.data_set.name) == (said.name, said.data_set.name)
    assert default.data_set.schema


@pytest.mark.parametrize(
    ("name", "options", "named"),
    [
        ("tpch", WorkloadOptions(duration_s=5), "--duration means nothing to the workload tpch"),
        ("ssb", WorkloadOptions(clients=2), "--clients means nothing to the workload ssb"),
        ("tpcb", WorkloadOptions(leave_out=True), "--leave-out-failing means nothing"),
        ("tpch", WorkloadOptions(objective="p95"), "--objective means nothing"),
        ("mine.sql", WorkloadOptions(clients=2), "--clients means nothing to the workload mine"),
        ("mine.sql", WorkloadOptions(scale=2), "--scale says how large --data-set is"),
    ],
)
def test_an_option_that_means_nothing_is_refused(
    name: str, options: WorkloadOptions, named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        registry.workload(name, options)


def test_the_objective_that_a_workload_has_anyway_may_be_said() -> None:
    assert registry.workload("tpch", WorkloadOptions(objective="latency")) == tpch_workload(0.1)


def test_mixes_are_drawn_from_any_workload_of_queries() -> None:
    ssb = registry.workload("ssb")
    assert isinstance(ssb, Workload)
    mixes = [draw_mix(ssb, Random(seed)) for seed in range(100)]
    assert {len(mix.queries) for mix in mixes} == set(range(2, 14))
    assert all({q.id for q in mix.queries} <= {q.id for q in ssb.queries} for mix in mixes)
