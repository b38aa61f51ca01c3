"""The effort of plans: what more of it means, and what the knobs cannot move."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.postgres.budget import Budget
from llmtune.postgres.plan_effort import Stored, effort
from llmtune.postgres.plan_work import visits
from llmtune.postgres.plans import PlanNode, what_if
from llmtune.postgres.statistics import (
    IndexStatistics,
    TableStatistics,
    index_statistics,
    table_statistics,
)
from workloads.tpch import tpch_workload
from workloads.workload import Query

PLENTY = Budget(1 << 30, 1 << 30, 1 << 30, 4 << 30, 8, 4, 8 << 30)
TABLE = TableStatistics("t", 100_000, 64 << 20, 0, 1)
STORED = Stored({"t": TABLE}, {"i": IndexStatistics(50.0, 0.9)})
ROWS = st.floats(1, 1e9)


def scan(rows: float = 100.0, **more: object) -> PlanNode:
    found = {"index": "i", "condition": "(a > 1)", **more}
    return PlanNode("Index Scan", 1.0, rows=rows, width=60, relation="t", **found)


def sort(rows: float) -> PlanNode:
    return PlanNode("Sort", 2.0, rows=rows, width=60, children=(scan(rows, relationship="Outer"),))


def gathered(workers: int) -> PlanNode:
    below = PlanNode(
        "Seq Scan", 1.0, rows=1e6, width=8, relationship="Outer", relation="t", parallel_aware=True
    )
    return PlanNode("Gather", 2.0, rows=1.0, workers=workers, children=(below,))


@given(rows=ROWS, factor=st.floats(1.1, 10))
@pytest.mark.parametrize("plan", [scan, sort])
def test_more_rows_are_more_effort(plan, rows, factor):
    assert effort(plan(rows), PLENTY, STORED) < effort(plan(rows * factor), PLENTY, STORED)


@given(rows=ROWS)
def test_the_planners_own_units_do_not_count(rows):
    dear = replace(sort(rows), total_cost=1e9, startup_cost=1e6)
    assert effort(dear, PLENTY, STORED) == effort(sort(rows), PLENTY, STORED)


def test_what_spills_is_more_effort_and_room_to_spare_changes_nothing():
    tight, roomy = (replace(PLENTY, sort_memory=memory) for memory in (1 << 10, 2 << 30))
    assert effort(sort(1e6), tight, STORED) > effort(sort(1e6), PLENTY, STORED)
    assert effort(sort(1e6), roomy, STORED) == effort(sort(1e6), PLENTY, STORED)


@given(less=st.floats(1 << 20, 1 << 34), factor=st.floats(1, 100))
@pytest.mark.parametrize("plan", [scan(1e5), gathered(2), sort(1e5)])
def test_more_shared_buffers_are_never_more_effort(plan, less, factor):
    few, many = (replace(PLENTY, shared_buffers=size) for size in (less, factor * less))
    assert effort(plan, many, STORED) <= effort(plan, few, STORED)


def test_once_all_lies_in_shared_buffers_more_of_them_change_nothing():
    size = TABLE.heap_bytes
    looked_up, scanned = scan(1e5), gathered(2)
    enough, ample = (replace(PLENTY, shared_buffers=factor * size) for factor in (1, 8))
    assert effort(looked_up, enough, STORED) == effort(looked_up, ample, STORED)
    assert effort(scanned, enough, STORED) > effort(scanned, ample, STORED), "by a ring of buffers"


def test_processes_that_cannot_be_started_do_not_help():
    alone = replace(PLENTY, workers=0)
    assert effort(gathered(3), alone, STORED) > effort(gathered(3), PLENTY, STORED)


def joined(workers: int) -> PlanNode:
    """A shared scan, joined with a hash table that each process builds for itself."""
    shared = gathered(workers).children[0]
    alone = PlanNode("Seq Scan", 1.0, rows=1e6, width=8, relationship="Outer", relation="t")
    build = PlanNode("Hash", 1.0, rows=1e6, width=8, relationship="Inner", children=(alone,))
    join = PlanNode("Hash Join", 1.0, rows=1e6, relationship="Outer", children=(shared, build))
    return PlanNode("Gather", 2.0, rows=1.0, workers=workers, children=(join,))


def test_what_every_process_does_for_itself_is_more_effort_where_cores_are_few():
    few = replace(PLENTY, cores=2)
    assert effort(joined(2), few, STORED) > effort(joined(1), few, STORED)
    assert effort(joined(1), few, STORED) == effort(joined(1), PLENTY, STORED)
    more = effort(joined(3), few, STORED) - effort(joined(3), PLENTY, STORED)
    shared = effort(gathered(3), few, STORED) - effort(gathered(3), PLENTY, STORED)
    assert more > shared


def lookup() -> PlanNode:
    return scan(10.0, relationship="Inner")


def test_lookups_are_divided_like_the_rows_that_they_are_made_for():
    outer = gathered(2).children[0]
    inner = {
        "looked up": lookup(),
        "remembered": PlanNode("Memoize", 1.0, rows=10.0, relationship="Inner", children=(scan(),)),
        "kept": PlanNode("Materialize", 1.0, relationship="Inner", children=(scan(),)),
    }
    found = {}
    for name, side in inner.items():
        join = PlanNode("Nested Loop", 9.0, relationship="Outer", children=(outer, side))
        seen = list(visits(PlanNode("Gather", 9.0, workers=2, children=(join,))))
        found[name] = [visit.repeated for visit in seen if visit.node.relation == "t"]
    assert found == {
        "looked up": [False, False],
        "remembered": [False, False],
        "kept": [False, True],
    }


def test_a_full_scan_looks_at_every_row():
    kept = PlanNode("Seq Scan", 1.0, rows=1.0, relation="t")
    assert effort(kept, PLENTY, STORED) > effort(scan(rows=1000), PLENTY, STORED)


def test_an_index_that_is_read_whole_is_the_effort_of_every_row():
    whole, part = scan(10.0, condition=""), scan(10.0)
    assert effort(whole, PLENTY, STORED) > effort(scan(9e4), PLENTY, STORED)
    assert effort(part, PLENTY, STORED) < effort(scan(11.0), PLENTY, STORED)


def test_rows_that_a_lookup_finds_and_drops_count():
    kept = scan(1.0, condition="(a = 1)")
    dropped = scan(1.0, condition="(a = 1)", filtered=True)
    assert effort(kept, PLENTY, STORED) < effort(dropped, PLENTY, STORED)
    assert effort(dropped, PLENTY, STORED) == effort(
        scan(50.0, condition="(a = 1)"), PLENTY, STORED
    )


@given(one=st.floats(-1, 1), other=st.floats(-1, 1))
def test_rows_in_their_tables_order_are_the_least_effort(one, other):
    tight = replace(PLENTY, shared_buffers=1 << 20)
    near, apart = (
        effort(scan(1e4), tight, Stored({"t": TABLE}, {"i": IndexStatistics(1.0, correlation)}))
        for correlation in sorted((one, other), key=abs, reverse=True)
    )
    assert near <= apart


def test_a_server_tells_how_the_rows_of_an_index_lie(embedded, tpch_tiny):
    with embedded.connect(tpch_tiny) as connection:
        keys = index_statistics(connection)
        count, orders = connection.execute(
            "SELECT count(*), count(DISTINCT l_orderkey) FROM lineitem"
        ).fetchone()
    assert keys["orders_pkey"] == IndexStatistics(1.0, 1.0)
    assert keys["lineitem_pkey"].rows_per_key == pytest.approx(count / orders, rel=0.2)
    assert abs(keys["lineitem_l_partkey_l_suppkey_idx"].correlation) < 0.2


def test_on_a_server_a_lookup_is_next_to_nothing_and_every_plan_has_an_effort(embedded, tpch_tiny):
    lookup = Query("one", "SELECT * FROM orders WHERE o_orderkey = 7", "one")
    queries = [lookup, *tpch_workload(0.01, 1).queries]
    with embedded.connect(tpch_tiny) as connection:
        tables = {table.name: table for table in table_statistics(connection)}
        stored = Stored(tables, index_statistics(connection))
        plans = what_if(connection, {}, queries)
        cheap = what_if(connection, {"cpu_tuple_cost": "0.001", "seq_page_cost": "0.01"}, queries)
    efforts = {name: effort(plan, PLENTY, stored) for name, plan in plans.items()}
    assert min(efforts, key=efforts.__getitem__) == "one"
    same = [name for name in plans if plans[name].shape() == cheap[name].shape()]
    assert same
    again = {name: effort(cheap[name], PLENTY, stored) for name in same}
    assert again == pytest.approx({name: efforts[name] for name in same}, abs=0.1)
