import pytest

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.relevance import relevant
from llmtune.knobs.space import resolve_space

WHOLE = resolve_space(load_catalogue(), 18, Hardware(2, 1 << 30), durability=True)
READING = ["shared_buffers", "work_mem", "random_page_cost", "max_parallel_workers_per_gather"]
WRITING = ["checkpoint_timeout", "max_wal_size", "autovacuum_naptime", "synchronous_commit"]
IDLE = ["maintenance_work_mem", "temp_buffers", "max_parallel_maintenance_workers"]


@pytest.mark.parametrize("kind", ["analytic", "mixed"])
@pytest.mark.parametrize("jit", [True, False])
def test_it_is_a_part_of_the_space_in_its_order(kind, jit):
    part = relevant(WHOLE, kind, jit=jit)
    assert part.names == tuple(name for name in WHOLE.names if name in part)
    assert all(part[name] == WHOLE[name] for name in part.names)
    assert relevant(part, kind, jit=jit) == part
    assert ("jit" in part) == jit
    assert any(name.startswith("jit_") for name in part.names) == jit


def test_reading_leaves_out_what_only_writing_feels():
    part = relevant(WHOLE, "analytic", jit=True)
    assert [name for name in READING if name not in part] == []
    assert [name for name in WRITING + IDLE if name in part] == []


def test_writing_keeps_it():
    part = relevant(WHOLE, "mixed", jit=True)
    assert [name for name in READING + WRITING + IDLE if name in WHOLE and name not in part] == []


@pytest.mark.parametrize("kind", ["analytic", "mixed"])
def test_what_acts_through_analyze_only_is_never_relevant(kind):
    assert "default_statistics_target" in WHOLE
    assert "default_statistics_target" not in relevant(WHOLE, kind, jit=True)
