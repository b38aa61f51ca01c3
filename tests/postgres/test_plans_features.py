from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

import pytest

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Value
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.budget import budget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.plan_features import PlanFeatures
from llmtune.postgres.plans import PlanNode, what_if
from llmtune.postgres.statistics import TableStatistics, table_statistics
from llmtune.postgres.target import Connection
from workloads.tpch import tpch_workload

TABLE = TableStatistics("t", 100_000, 64 << 20, 0, 0)


def space(memory: int = 2 << 30, cores: int = 4, names: list[str] | None = None) -> KnobSpace:
    return resolve_space(load_catalogue(), 18, Hardware(cores, memory), names)


def features(plan: PlanNode, memory: int = 2 << 30) -> PlanFeatures:
    return PlanFeatures(space(memory), [TABLE], {"q": plan})


def named(plan: PlanNode, changes: dict[str, Value], default: PlanNode) -> dict[str, float]:
    made = features(default)
    vector = made.vector("q", plan, made.space.configuration(changes))
    return dict(zip(made.names, vector, strict=True))


def hash_join(workers: int = 0) -> PlanNode:
    scan = PlanNode(
        "Seq Scan", 50.0, rows=100_000, width=60, relationship="Outer", relation="t",
        parallel_aware=workers > 0,
    )  # fmt: skip
    build = PlanNode("Hash", 60.0, rows=100_000, width=60, relationship="Inner", children=(scan,))
    join = PlanNode("Hash Join", 200.0, rows=100_000, width=120, children=(scan, build))
    return PlanNode("Gather", 210.0, workers=workers, children=(join,)) if workers else join


def test_less_work_mem_makes_the_hash_spill() -> None:
    wide = named(hash_join(), {"work_mem": 64 << 10}, hash_join())
    tight = named(hash_join(), {"work_mem": 1 << 10}, hash_join())
    assert wide["plan.hash.spilling"] == 0
    assert tight["plan.hash.spilling"] == 1
    assert tight["plan.hash.demand"] == pytest.approx(wide["plan.hash.demand"] + 6)
    assert tight["plan.batches.bytes"] > wide["plan.batches.bytes"] == 0


def test_a_position_is_on_the_catalogues_scale_wherever_a_server_ends_it() -> None:
    name = "max_worker_processes"
    whole = space(cores=8, names=[name])
    here = whole.within({name: (8, None)})
    for value, place in ((8, 0.75), (16, 1.0)):
        configuration = here.configuration({name: value})
        made = PlanFeatures(here, [TABLE], {"q": hash_join()})
        assert made.positions(configuration) == pytest.approx((place,))
    assert here[name].position(8) == 0.0, "an optimizer searches what is left"


def test_the_default_configuration_changes_nothing() -> None:
    default = named(hash_join(), {}, hash_join())
    assert {value for name, value in default.items() if name.startswith("change.")} == {0.0}


def test_another_plan_is_a_change_of_shape() -> None:
    changed = named(hash_join(workers=2), {}, hash_join())
    assert changed["change.shape"] == 1
    assert changed["change.parallel.planned"] == 2
    assert changed["plan.parallel.speedup"] > 2


def test_workers_that_the_server_cannot_start_do_not_speed_up() -> None:
    free = named(hash_join(workers=2), {}, hash_join())
    none = named(hash_join(workers=2), {"max_parallel_workers": 0}, hash_join())
    assert none["plan.parallel.planned"] == 2
    assert none["plan.parallel.speedup"] == 1
    assert none["plan.hash_join.rows"] > free["plan.hash_join.rows"]


def test_buffers_are_compared_with_what_is_read() -> None:
    small = named(hash_join(), {"shared_buffers": 8192}, hash_join())
    large = named(hash_join(), {"shared_buffers": 65536}, hash_join())
    assert small["plan.read.buffers"] == pytest.approx(large["plan.read.buffers"] + 3)
    assert (small["plan.read.past_buffers"], large["plan.read.past_buffers"]) == (2, 0)


def test_vectors_mean_the_same_on_other_hardware() -> None:
    assert features(hash_join()).names == features(hash_join(), 8 << 30).names


def test_knobs_outside_the_space_stand_at_the_server_s_default() -> None:
    narrow = space(names=["random_page_cost"])
    given = budget(narrow.default(), narrow)
    assert (given.sort_memory, given.hash_memory) == (4 << 20, 8 << 20)
    assert (given.shared_buffers, given.workers) == (128 << 20, 8)


@pytest.fixture
def connection(embedded: EmbeddedTarget, tpch_tiny: str) -> Iterator[Connection]:
    with embedded.connect(tpch_tiny) as connection:
        yield connection


def test_every_tpch_query_has_a_finite_vector_of_one_length(connection: Connection) -> None:
    queries = tpch_workload(0.01, 1).queries
    tables = table_statistics(connection)
    made = PlanFeatures(space(), tables, what_if(connection, {}, queries))
    plans = what_if(connection, {"enable_nestloop": "off", "work_mem": "64kB"}, queries)
    table = made.table(plans, made.space.configuration({"work_mem": 256}))
    assert len(table) == len(queries)
    assert {len(row) for row in table} == {len(made.names)}
    assert len(set(made.names)) == len(made.names)
    assert all(isfinite(value) for row in table for value in row)
