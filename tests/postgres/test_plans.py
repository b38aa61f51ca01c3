from __future__ import annotations

from collections.abc import Iterator

import pytest

from llmtune.errors import QueryFailed, TargetError
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.plan_work import FAMILY_NAMES, family, parallel_divisor, visits
from llmtune.postgres.planners import TABLES_EACH, planners, what_ifs
from llmtune.postgres.plans import PlanNode, explain, parse_plan, planner_defaults, what_if
from llmtune.postgres.statistics import table_statistics
from llmtune.postgres.target import Connection
from workloads.tpch import tpch_workload
from workloads.workload import Query

JOIN = Query("join", "SELECT * FROM orders JOIN lineitem ON l_orderkey = o_orderkey;", "join")


@pytest.fixture
def connection(embedded: EmbeddedTarget, tpch_tiny: str) -> Iterator[Connection]:
    with embedded.connect(tpch_tiny) as connection:
        yield connection


def test_a_plan_is_read_with_its_tables_and_estimates(connection: Connection) -> None:
    plan = explain(connection, JOIN.sql)
    assert {node.relation for node in plan.walk() if node.relation} == {"orders", "lineitem"}
    assert plan.rows > 1000
    assert plan.width > 100
    assert plan.total_cost >= max(child.total_cost for child in plan.children)


def test_percent_signs_in_a_query_are_not_placeholders(connection: Connection) -> None:
    plan = explain(connection, "SELECT * FROM part WHERE p_name LIKE '%s%%green%'")
    assert plan.relation == "part"


def test_what_if_shows_other_plans_and_leaves_the_connection_alone(connection: Connection) -> None:
    connection.execute("SET work_mem = '3MB'")
    off = {"enable_hashjoin": "off", "enable_nestloop": "off", "work_mem": "64kB"}
    plain, forced = (what_if(connection, settings, [JOIN])["join"] for settings in ({}, off))
    assert plain.shape() != forced.shape()
    assert any(node.kind == "Merge Join" for node in forced.walk())
    shown = connection.execute("SHOW work_mem").fetchone()
    assert shown == ("3MB",)
    assert explain(connection, JOIN.sql).shape() == plain.shape()


def test_what_if_runs_nothing(connection: Connection) -> None:
    before = connection.execute("SELECT count(*) FROM region").fetchone()
    what_if(connection, {}, [Query("w", "DELETE FROM region", "w")])
    assert connection.execute("SELECT count(*) FROM region").fetchone() == before


def test_a_query_that_cannot_be_planned_is_named(connection: Connection) -> None:
    with pytest.raises(QueryFailed, match="broken") as caught:
        what_if(connection, {}, [JOIN, Query("broken", "SELECT * FROM nowhere", "b")])
    assert caught.value.query_id == "broken"
    assert explain(connection, JOIN.sql).rows > 1000


@pytest.mark.parametrize("name", ["shared_buffers", "no_such_setting"])
def test_a_setting_that_a_session_cannot_have_is_refused(connection: Connection, name: str) -> None:
    with pytest.raises(TargetError, match=name):
        what_if(connection, {name: "1000"}, [JOIN])


def test_planner_defaults_undo_what_the_session_changed(connection: Connection) -> None:
    untouched = explain(connection, JOIN.sql)
    connection.execute("SET enable_hashjoin = off")
    connection.execute("SET work_mem = '64kB'")
    defaults = planner_defaults(connection)
    assert defaults["work_mem"] == "4096"
    assert what_if(connection, defaults, [JOIN])["join"] == untouched


def test_every_tpch_plan_has_known_families_and_positive_work(connection: Connection) -> None:
    for plan in what_if(connection, {}, tpch_workload(0.01, 1).queries).values():
        for visit in visits(plan):
            assert visit.family in FAMILY_NAMES
            assert visit.loops >= 1
            assert visit.memory_bytes >= 0


def test_statistics_agree_with_the_data(connection: Connection) -> None:
    tables = {table.name: table for table in table_statistics(connection)}
    assert len(tables) == 8
    assert tables["nation"].rows == 25
    assert tables["lineitem"].heap_bytes > tables["orders"].heap_bytes > 1 << 20
    assert tables["lineitem"].index_count >= 1
    assert tables["lineitem"].index_bytes > 0


def scan(rows: float, relationship: str = "Outer", **more: object) -> PlanNode:
    return PlanNode("Seq Scan", 10.0, rows=rows, relationship=relationship, relation="t", **more)  # type: ignore[arg-type]


def test_the_inner_side_of_a_nested_loop_runs_once_for_each_outer_row() -> None:
    loop = PlanNode("Nested Loop", 500.0, children=(scan(40), scan(3, "Inner")))
    outer, inner = list(visits(loop))[1:]
    assert (outer.loops, inner.loops, inner.output_rows) == (1, 40, 120)


def test_a_materialized_inner_side_runs_once() -> None:
    kept = PlanNode("Materialize", 11.0, rows=3, relationship="Inner", children=(scan(3),))
    seen = list(visits(PlanNode("Nested Loop", 50.0, children=(scan(40), kept))))
    assert [visit.loops for visit in seen] == [1, 1, 40, 1]


def test_memoize_passes_on_the_share_of_lookups_that_the_cost_tells() -> None:
    memo = PlanNode("Memoize", 10.0, relationship="Inner", children=(scan(1),))
    join = PlanNode("Nested Loop", 10.0 + 100 * 10.0 / 4, children=(scan(100), memo))
    assert list(visits(join))[-1].loops == pytest.approx(25)


def test_a_subplan_runs_as_often_as_the_cost_tells_and_an_init_plan_once() -> None:
    sub = PlanNode("Aggregate", 5.0, relationship="SubPlan", strategy="Plain")
    init = PlanNode("Aggregate", 5.0, relationship="InitPlan", strategy="Plain")
    parent = PlanNode("Seq Scan", 500.0, rows=7, relation="t", children=(sub, init))
    assert [visit.loops for visit in visits(parent)] == [1, 100, 1]


def test_below_a_gather_the_work_is_shared() -> None:
    gather = PlanNode("Gather", 20.0, workers=2, children=(scan(100, parallel_aware=True),))
    top, below = visits(gather)
    assert (top.workers, below.workers, below.divisor) == (0, 2, parallel_divisor(2))
    assert [parallel_divisor(n) for n in (0, 1, 2, 4)] == [1, 1.7, 2.4, 4]


def test_a_sort_below_a_limit_keeps_only_the_rows_of_the_limit() -> None:
    sort = PlanNode("Sort", 90.0, rows=1000, width=76, children=(scan(1000),))
    limit = PlanNode("Limit", 91.0, rows=10, children=(sort,))
    assert next(visits(sort)).memory_bytes == 1000 * 100
    assert list(visits(limit))[1].memory_bytes == 10 * 100


@pytest.mark.parametrize(
    ("kind", "strategy", "expected"),
    [
        ("Aggregate", "Hashed", "hash_aggregate"),
        ("Aggregate", "Sorted", "group_aggregate"),
        ("Index Only Scan", None, "index_only_scan"),
        ("Gather Merge", None, "gather"),
        ("WindowAgg", None, "other"),
    ],
)
def test_families(kind: str, strategy: str | None, expected: str) -> None:
    assert family(PlanNode(kind, 1.0, strategy=strategy)) == expected


def test_disabled_nodes_are_seen() -> None:
    node = {"Node Type": "Sort", "Total Cost": 1, "Startup Cost": 0, "Plan Rows": 1}
    assert parse_plan({**node, "Plan Width": 4, "Disabled": True}).disabled


def test_several_connections_find_the_plans_of_one(
    embedded: EmbeddedTarget, tpch_tiny: str, connection: Connection
) -> None:
    queries = tpch_workload(0.01, 1, streams=3).queries
    settings = {"enable_hashjoin": "off"}
    with planners(embedded, tpch_tiny, 3 * TABLES_EACH) as (first, *others):
        assert len(others) == min(3, embedded.hardware.cores) - 1
        several = what_ifs((first, *others), [(settings, queries), ({}, queries[:3]), ({}, [])])
        assert list(several[0]) == [query.id for query in queries]
        assert several[0] == what_if(connection, settings, queries)
        assert several[1:] == [what_if(connection, {}, queries[:3]), {}]
        broken = [*queries, Query("broken", "SELECT * FROM nowhere", "b")]
        with pytest.raises(QueryFailed, match="broken"):
            what_ifs((first, *others), [({}, broken)])
        shown = [one.execute("SHOW enable_hashjoin").fetchone() for one in (first, *others)]
        assert set(shown) == {("on",)}


def test_few_tables_are_planned_on_one_connection(embedded: EmbeddedTarget, tpch_tiny: str) -> None:
    with planners(embedded, tpch_tiny, TABLES_EACH) as connections:
        assert len(connections) == 1
