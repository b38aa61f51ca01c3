"""When two runs of a query take alike: only under equal plans and all that matters to them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.relevance import relevant
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.data_size import DataSize
from llmtune.postgres.plans import PlanNode, explain
from llmtune.postgres.run_conditions import known, run_conditions
from llmtune.postgres.what_if_plans import MOST_BY_FORCE
from llmtune.units import parse_memory

MIB = 1 << 20
WHOLE = resolve_space(load_catalogue(), 18, Hardware(4, 8 << 30), durability=True)
SPACE = relevant(WHOLE, "analytic", jit=True)
BIG, SMALL = (DataSize(size * MIB, {"r": size * MIB}) for size in (4096.0, 1.0))
SCAN = PlanNode("Seq Scan", 900.0, rows=1000, width=10, relation="r", relationship="Outer")
MANY = replace(SCAN, rows=100_000, width=100)
SORT = PlanNode("Sort", 1000.0, rows=100_000, width=100, children=(SCAN,))
SMALL_SORT = PlanNode("Sort", 1000.0, rows=100, width=100, children=(SCAN,))
HASH = PlanNode("Hash", 1000.0, rows=100_000, width=100, children=(SCAN,))
GATHER = PlanNode("Gather", 1000.0, workers=2, children=(SCAN,))
PROBE = PlanNode("Index Scan", 10.0, rows=5, width=10, relation="r", index="k")
PLANS = [SCAN, SORT, SMALL_SORT, HASH, GATHER, PROBE]
positions = st.lists(st.floats(0.0, 1.0), min_size=len(SPACE.knobs), max_size=len(SPACE.knobs))


def at(places: list[float]) -> Configuration:
    knobs = zip(SPACE.knobs, places, strict=True)
    return SPACE.configuration({knob.name: knob.at(place) for knob, place in knobs})


configurations = positions.map(at)


def changed(space: KnobSpace = SPACE, **changes: str | bool) -> Configuration:
    values = {
        name: space.parse(name, value) if isinstance(value, str) else value
        for name, value in changes.items()
    }
    return space.configuration(values)


def alike(plan: PlanNode, size: DataSize, one: Configuration, other: Configuration) -> bool:
    return run_conditions(plan, one, SPACE, size) == run_conditions(plan, other, SPACE, size)


@pytest.mark.parametrize("name", WHOLE.names)
def test_every_knob_of_the_catalogue_is_in_the_table(name):
    assert known(name)


@given(st.sampled_from(PLANS), st.sampled_from(PLANS), configurations, configurations)
def test_runs_of_different_plans_are_never_alike(one, other, first, second):
    made = [run_conditions(plan, first, SPACE, SMALL) for plan in (one, other)]
    if one.fingerprint() != other.fingerprint():  # plans may differ in their estimates only
        assert made[0] != made[1]
    elif one is other:
        assert made[0] == made[1]
    assert run_conditions(one, first, SPACE, SMALL) != run_conditions(
        PlanNode("Limit", 1.0, children=(one,)), second, SPACE, SMALL
    )


@given(st.sampled_from(PLANS), configurations, configurations)
def test_being_alike_is_mutual_and_certain_for_one_configuration(plan, one, other):
    assert alike(plan, BIG, one, one)
    assert alike(plan, BIG, one, other) is alike(plan, BIG, other, one)


@pytest.mark.parametrize(
    ("plan", "change", "matters"),
    [
        (SORT, {"work_mem": "8MB"}, True),
        (SMALL_SORT, {"work_mem": "8MB"}, False),
        (SCAN, {"work_mem": "1MB"}, False),
        (HASH, {"hash_mem_multiplier": "4"}, True),
        (SORT, {"hash_mem_multiplier": "4"}, False),
        (GATHER, {"max_parallel_workers": "1"}, True),
        (GATHER, {"max_parallel_workers": "2"}, False),
        (SCAN, {"max_parallel_workers": "1"}, False),
        (GATHER, {"max_worker_processes": "3"}, True),
        (GATHER, {"max_worker_processes": "4"}, False),
        (GATHER, {"parallel_leader_participation": False}, True),
        (SCAN, {"parallel_leader_participation": False}, False),
        (SCAN, {"effective_io_concurrency": "64"}, True),
        (PROBE, {"effective_io_concurrency": "64"}, False),
        (PROBE, {"shared_buffers": "1GB"}, True),
        (SCAN, {"random_page_cost": "1.5"}, False),
        (SCAN, {"enable_nestloop": False}, False),
    ],
)
def test_a_knob_counts_where_an_operator_responds_to_it(plan, change, matters):
    assert alike(plan, BIG, SPACE.default(), changed(**change)) is not matters


def test_nothing_is_read_where_the_whole_database_stays_in_shared_buffers():
    one, other = changed(shared_buffers="512MB"), changed(shared_buffers="1GB", io_method="sync")
    assert alike(SCAN, SMALL, one, other)
    assert not alike(SCAN, BIG, one, other)


def test_a_table_that_goes_through_a_ring_is_read_anew_whatever_fits():
    one, other = changed(shared_buffers="512MB"), changed(shared_buffers="1GB")
    many_tables, one_table = (
        DataSize(500.0 * MIB, {"r": size * MIB, "s": MIB}) for size in (100.0, 200.0)
    )
    assert alike(SCAN, many_tables, one, other)
    assert not alike(SCAN, one_table, one, other)


def test_whether_a_scanned_table_is_kept_counts_within_a_level():
    one, other = changed(shared_buffers="1000MB"), changed(shared_buffers="1010MB")
    size = DataSize(4096.0 * MIB, {"r": 251.0 * MIB})
    assert not alike(SCAN, size, one, other)
    assert alike(PROBE, size, one, other)


def test_memory_counts_where_an_aggregate_may_sort_its_rows():
    grouped = PlanNode("Aggregate", 1.0, strategy="Sorted", children=(MANY,))
    for within, matters in ((True, True), (False, False)):
        one, other = (
            run_conditions(grouped, each, SPACE, BIG, sorts_within=within)
            for each in (SPACE.default(), changed(work_mem="8MB"))
        )
        assert (one != other) is matters


def test_a_bitmap_is_as_large_as_what_its_index_finds():
    finds = PlanNode("Bitmap Index Scan", 1.0, rows=1e6, index="i")
    few = PlanNode("Bitmap Heap Scan", 1.0, rows=1.0, relation="t", children=(finds,))
    assert not alike(few, BIG, SPACE.default(), changed(work_mem="8MB"))


def test_buffers_within_a_level_are_alike():
    one, other = changed(shared_buffers="1000MB"), changed(shared_buffers="1010MB")
    assert alike(SCAN, BIG, one, other)


def test_compiling_follows_the_cost():
    off, lazy = changed(jit=False), changed(jit_above_cost="10000000")
    eager = changed(jit_above_cost="10000")
    costly = PlanNode("Result", 50_000.0)
    assert alike(costly, SMALL, off, lazy), "neither compiles"
    assert not alike(costly, SMALL, off, eager)
    assert alike(PlanNode("Result", 500.0), SMALL, off, eager)


def test_planning_counts_for_as_many_relations_as_there_are():
    few = PlanNode("Append", 1.0, children=(SCAN,) * 3)
    many = PlanNode("Append", 1.0, children=(SCAN,) * 12)
    other = changed(join_collapse_limit="12")
    assert alike(few, SMALL, SPACE.default(), other)
    assert not alike(many, SMALL, SPACE.default(), other)
    genetic = changed(geqo_threshold="4")
    five = PlanNode("Append", 1.0, children=(SCAN,) * 5)
    assert alike(few, SMALL, SPACE.default(), genetic)
    assert not alike(five, SMALL, SPACE.default(), genetic)


def test_no_two_runs_are_alike_whose_plans_what_if_cannot_show():
    """Beyond the tables among which it searches completely it shows the genetic search's."""
    plan = PlanNode("Append", 1.0, children=(SCAN,) * MOST_BY_FORCE)
    complete, other = changed(geqo=False), changed(geqo=False, random_page_cost="1.5")
    assert not alike(plan, SMALL, complete, other)
    assert alike(plan, SMALL, SPACE.default(), changed(random_page_cost="1.5"))


def test_a_knob_outside_the_space_has_what_the_server_has():
    narrow = SPACE.subset(["random_page_cost"])
    one, other = narrow.default(), narrow.configuration({"random_page_cost": 2.0})
    conditions = [run_conditions(GATHER, each, narrow, BIG) for each in (one, other)]
    assert conditions[0] == conditions[1]
    assert parse_memory("4MB") in run_conditions(SORT, narrow.default(), narrow, BIG)


def test_a_fingerprint_tells_plans_apart_that_do_the_same_to_other_rows(embedded, tpch_tiny):
    texts = [
        "SELECT 1 FROM nation a, nation b WHERE a.n_nationkey = b.n_regionkey AND a.n_name < 'x'",
        "SELECT 1 FROM nation a, nation b WHERE a.n_nationkey = b.n_regionkey AND b.n_name < 'x'",
    ]
    with embedded.connect(tpch_tiny) as connection:
        first, second = (explain(connection, text) for text in texts)
        again = explain(connection, texts[0])
        connection.execute("SET seq_page_cost = 1.01")
        costlier = explain(connection, texts[0])
    assert first.fingerprint() == again.fingerprint() == costlier.fingerprint()
    assert first.total_cost != costlier.total_cost
    assert first.fingerprint() != second.fingerprint()
