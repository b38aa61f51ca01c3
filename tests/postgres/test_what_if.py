from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

import pytest

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.what_if import WhatIfFeatures
from workloads.tpch import tpch_workload

TPCH = tpch_workload(0.01, 1)


class Counting:
    """Passes connections on and counts them."""

    def __init__(self, target: EmbeddedTarget) -> None:
        self.target = target
        self.hardware = target.hardware
        self.connections = 0

    def connect(self, database=None, settings=None):
        self.connections += 1
        return self.target.connect(database, settings)


@pytest.fixture(scope="module")
def space(embedded: EmbeddedTarget) -> KnobSpace:
    return resolve_space(load_catalogue(), embedded.version, Hardware(2, 1 << 30))


@pytest.fixture(scope="module")
def target(embedded: EmbeddedTarget) -> Counting:
    return Counting(embedded)


@pytest.fixture(scope="module")
def what_if(target: Counting, tpch_tiny: str, space: KnobSpace) -> Iterator[WhatIfFeatures]:
    return WhatIfFeatures(target, tpch_tiny, TPCH, space)


def changed(what_if: WhatIfFeatures, vector: tuple[float, ...]) -> set[str]:
    """The features of a changed plan that are not zero."""
    named = zip(what_if.names, vector, strict=True)
    return {name for name, value in named if name.startswith("change.") and value}


def test_each_query_has_a_finite_vector(what_if, space):
    vectors = what_if(space.configuration({"work_mem": 128, "jit": False}))
    assert list(vectors) == [query.id for query in TPCH.queries]
    assert {len(vector) for vector in vectors.values()} == {len(what_if.names)}
    assert all(isfinite(value) for vector in vectors.values() for value in vector)


def test_a_complete_search_among_many_tables_is_not_looked_at(what_if, target, space):
    what_if(space.default())
    before = target.connections
    what_if(space.configuration({"geqo": False, "geqo_threshold": 24}))
    what_if(space.configuration({"geqo": False, "geqo_threshold": 4}))
    assert target.connections == before, "planned as by default"
    what_if(space.configuration({"geqo_threshold": 4}))
    assert target.connections > before


def test_the_default_configuration_changes_no_plan(what_if, space):
    vectors = what_if(space.default())
    assert {name for vector in vectors.values() for name in changed(what_if, vector)} == set()


def test_a_session_knob_changes_plans(what_if, space):
    vectors = what_if(space.configuration({"enable_nestloop": False}))
    assert "change.shape" in changed(what_if, vectors["q2"])
    assert changed(what_if, vectors["q6"]) == set(), "a query without joins"


def test_configurations_with_the_same_session_knobs_share_plans(what_if, target, space):
    work_mem = {"work_mem": 777}
    first = what_if(space.configuration(work_mem))
    before = target.connections
    unseen = {"shared_buffers": 2048, "max_parallel_workers": 3}
    second = what_if(space.configuration({**work_mem, **unseen}))
    assert target.connections == before
    place = what_if.names.index("knob.shared_buffers")
    assert first["q1"][place] != second["q1"][place]
    what_if(space.configuration({**work_mem, "effective_cache_size": 65536}))
    assert target.connections > before, "the planner reads that one"


def test_it_outlives_a_restart_and_leaves_no_setting(what_if, target, space, tpch_tiny):
    target.target.restart()
    again = what_if(space.configuration({"enable_nestloop": False, "work_mem": 512}))
    assert changed(what_if, again["q2"])
    with target.connect(tpch_tiny) as connection:
        assert connection.execute("SHOW enable_nestloop").fetchone() == ("on",)


def test_many_at_once_share_connections_and_say_the_same(what_if, target, space, tpch_tiny):
    several = [space.configuration({"random_page_cost": 2.0 + step / 10}) for step in range(5)]
    before = target.connections
    together = what_if.each([*several, several[0]])
    assert target.connections - before <= space.hardware.cores
    again = WhatIfFeatures(target, tpch_tiny, TPCH, space)
    assert together == [again(one) for one in [*several, several[0]]]


def test_queries_that_are_wanted_later_are_planned_then_and_the_others_kept(what_if, target, space):
    unlike = space.configuration({"random_page_cost": 1.77})
    (some,) = what_if.each([unlike], ["q3", "q1"])
    assert list(some) == ["q3", "q1"]
    whole = what_if(unlike)
    assert list(whole) == [query.id for query in TPCH.queries]
    assert {name: whole[name] for name in some} == some
    before = target.connections
    what_if.efforts([unlike], ["q1", "q9"])
    assert target.connections == before
