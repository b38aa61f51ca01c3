"""The effort of plans: what more of it means, and what the knobs cannot move."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.postgres.budget import Budget
from llmtune.postgres.plan_effort import effort
from llmtune.postgres.plans import PlanNode, what_if
from llmtune.postgres.statistics import TableStatistics, table_statistics
from workloads.tpch import tpch_workload
from workloads.workload import Query

PLENTY = Budget(1 << 30, 1 << 30, 1 << 30, 4 << 30, 8, 4, 8 << 30)
TABLES = {"t": TableStatistics("t", 100_000, 64 << 20, 0, 0)}
ROWS = st.floats(1, 1e9)


def scan(rows: float = 100.0, **more: object) -> PlanNode:
    return PlanNode("Index Scan", 1.0, rows=rows, width=60, relation="t", **more)


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
    assert effort(plan(rows), PLENTY, TABLES) < effort(plan(rows * factor), PLENTY, TABLES)


@given(rows=ROWS)
def test_the_planners_own_units_do_not_count(rows):
    dear = replace(sort(rows), total_cost=1e9, startup_cost=1e6)
    assert effort(dear, PLENTY, TABLES) == effort(sort(rows), PLENTY, TABLES)


def test_what_spills_is_more_effort_and_room_to_spare_changes_nothing():
    tight, roomy = (replace(PLENTY, sort_memory=memory) for memory in (1 << 10, 2 << 30))
    assert effort(sort(1e6), tight, TABLES) > effort(sort(1e6), PLENTY, TABLES)
    assert effort(sort(1e6), roomy, TABLES) == effort(sort(1e6), PLENTY, TABLES)


def test_processes_that_cannot_be_started_do_not_help():
    alone = replace(PLENTY, workers=0)
    assert effort(gathered(3), alone, TABLES) > effort(gathered(3), PLENTY, TABLES)


def test_a_full_scan_looks_at_every_row():
    kept = PlanNode("Seq Scan", 1.0, rows=1.0, relation="t")
    assert effort(kept, PLENTY, TABLES) > effort(scan(rows=1000), PLENTY, TABLES)


def test_on_a_server_a_lookup_is_next_to_nothing_and_every_plan_has_an_effort(embedded, tpch_tiny):
    lookup = Query("one", "SELECT * FROM orders WHERE o_orderkey = 7", "one")
    queries = [lookup, *tpch_workload(0.01, 1).queries]
    with embedded.connect(tpch_tiny) as connection:
        tables = {table.name: table for table in table_statistics(connection)}
        plans = what_if(connection, {}, queries)
        cheap = what_if(connection, {"cpu_tuple_cost": "0.001", "seq_page_cost": "0.01"}, queries)
    efforts = {name: effort(plan, PLENTY, tables) for name, plan in plans.items()}
    assert min(efforts, key=efforts.__getitem__) == "one"
    same = [name for name in plans if plans[name].shape() == cheap[name].shape()]
    assert same
    again = {name: effort(cheap[name], PLENTY, tables) for name in same}
    assert again == pytest.approx({name: efforts[name] for name in same}, abs=0.1)
