"""The space of a server that runs already: its present values are the baseline."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtune.benchmark.synthetic import SyntheticEvaluator
from llmtune.errors import InvalidConfiguration
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Value
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.levels import DEFAULT_LABEL, LevelCodec
from llmtune.knobs.memory import memory_budget, memory_demand
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.report.export import conf
from llmtune.tuning.assemble import knob_changes
from llmtune.tuning.prune import prune
from optimizers.registry import optimizer
from optimizers.space import UnitCube
from optimizers.warm_start import default_proposal
from workloads.objective import LATENCY

NAMES = ["shared_buffers", "work_mem", "random_page_cost", "jit", "max_parallel_workers"]
HUGE = 3 << 20
"""kB of work_mem: more than the whole memory, and so off the catalogue's scale."""


def live(**present: Value) -> KnobSpace:
    space = resolve_space(load_catalogue(), 18, Hardware(2, 2 << 30), names=NAMES)
    return space.running({**space.default(), **present})


def test_the_baseline_is_what_the_server_has_and_the_default_stays_postgresqls() -> None:
    space = live(work_mem=65536, jit=False)
    assert space.baseline()["work_mem"] == 65536
    assert space.default()["work_mem"] == 4096
    assert default_proposal(space).configuration == space.baseline()
    assert space.configuration({"jit": True})["work_mem"] == 65536
    assert space.from_default({"jit": False})["work_mem"] == 4096


def test_changes_from_the_default_lead_back_to_their_configuration() -> None:
    space = live(work_mem=65536, random_page_cost=1.1)
    for one in (space.default(), space.baseline(), space.configuration({"jit": False})):
        assert space.from_default(one.changes(space.default())) == one


def test_without_a_running_server_the_baseline_is_the_default() -> None:
    space = resolve_space(load_catalogue(), 18, Hardware(2, 2 << 30))
    assert space.baseline() == space.default()
    assert space.surroundings == space.server_defaults


def test_a_present_value_off_the_scale_is_valid_as_it_is() -> None:
    space = live(work_mem=HUGE)
    space.validate(space.baseline())
    assert space.baseline()["work_mem"] == HUGE
    assert UnitCube(space).point(space.baseline())["work_mem"] == 1.0
    with pytest.raises(InvalidConfiguration, match="work_mem"):
        live().validate(space.baseline())


def test_the_models_default_label_still_means_postgresqls() -> None:
    codec = LevelCodec(live(work_mem=65536))
    assert codec.value("work_mem", DEFAULT_LABEL) == 4096
    assert codec.label("work_mem", 65536) != DEFAULT_LABEL
    assert codec.encode(codec.space.baseline())["jit"] == DEFAULT_LABEL


def test_memory_counts_what_the_server_has_outside_the_space() -> None:
    space = live(shared_buffers=100_000)
    part = space.subset(["work_mem"])
    grown = memory_demand(part.baseline(), part) - memory_demand(live().baseline(), live())
    assert grown > 100_000 * 8192 * 0.8
    assert memory_budget(live(work_mem=HUGE)) >= HUGE << 10


def test_only_changes_from_the_baseline_are_told_and_pruned() -> None:
    space = live(work_mem=65536)
    best = space.configuration({"work_mem": 4096, "random_page_cost": 1.1})
    changes = knob_changes(best, space)
    told = {one.name: (one.default_text, one.best_text) for one in changes}
    assert told == {"work_mem": ("64MB", "4MB"), "random_page_cost": ("4", "1.1")}
    assert "(current 64MB)\nwork_mem = '4MB'" in conf(changes, "")
    evaluator = SyntheticEvaluator(space, 1)
    pruned = prune(
        lambda one, cap: evaluator.measure(one, number=1, source="x", cap=cap),
        space,
        LATENCY,
        best,
        tolerance=1000.0,
        limit=5,
    )
    assert pruned.configuration == space.baseline()


@pytest.mark.parametrize("name", ["tpe", "random"])
def test_an_optimizer_learns_from_a_baseline_off_the_scale(name: str) -> None:
    space = live(work_mem=HUGE, max_parallel_workers=500)
    evaluator = SyntheticEvaluator(space, 1)
    asked = optimizer(name, space, LATENCY, 1)
    asked.tell(evaluator.measure(space.baseline(), number=1, source="default"))
    for number in range(2, 14):
        asked.tell(evaluator.measure(asked.ask(), number=number, source=name))
    assert asked.best is not None


@settings(max_examples=50)
@given(low=st.integers(5000, 100_000), more=st.integers(1, 300_000), at=st.floats(0, 1))
def test_no_source_names_a_value_outside_narrower_ends(low: int, more: int, at: float) -> None:
    space = live(work_mem=65).within({"work_mem": (low, low + more), "jit_above_cost": (1, 2)})
    knob, codec = space["work_mem"], LevelCodec(space)
    named = [codec.value("work_mem", label) for label in codec.labels("work_mem")]
    for value in (*named, knob.default, knob.at(at), knob.at_fraction(at)):
        assert low <= float(value) <= low + more
    assert space.baseline()["work_mem"] == knob.normalise(65)
    for outside in (4096, low - 1, low + more + 1):
        with pytest.raises(InvalidConfiguration, match="is not allowed"):
            knob.normalise(outside)
    assert space.from_default({})["work_mem"] == knob.default


def test_ends_that_are_wider_change_nothing_and_some_leave_nothing() -> None:
    space = live()
    assert space.within({"work_mem": (None, HUGE), "random_page_cost": (0, None)}) == space
    with pytest.raises(ValueError, match="nothing is left"):
        space.within({"work_mem": (HUGE, None)})


@settings(max_examples=50)
@given(present=st.integers(64, 2_147_483_647))
def test_any_present_value_survives_and_has_a_place(present: int) -> None:
    space = live(work_mem=present)
    knob = space["work_mem"]
    assert knob.normalise(present) == present
    assert 0.0 <= knob.position(present) <= 1.0
    assert len(LevelCodec(space).label("work_mem", present)) in (1, len(DEFAULT_LABEL))
