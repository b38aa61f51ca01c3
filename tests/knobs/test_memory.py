"""The joint memory constraint and the repair of what breaks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.memory import fits, memory_budget, memory_demand, repair
from llmtune.knobs.space import KnobSpace, resolve_space

MIB = 1 << 20
MEMORY_KNOBS = {
    "shared_buffers",
    "work_mem",
    "hash_mem_multiplier",
    "temp_buffers",
    "maintenance_work_mem",
    "wal_buffers",
}
POSITIONS = st.floats(0, 1)


def server(memory: int, cores: int = 2) -> KnobSpace:
    return resolve_space(load_catalogue(), 18, Hardware(cores, memory))


servers = st.builds(
    server,
    memory=st.floats(29, 41).map(lambda exponent: int(2**exponent)),
    cores=st.integers(1, 8),
)


@given(st.data(), servers, st.integers(1, 20))
def test_a_repaired_configuration_fits_and_stays_as_it_is(data, space, clients):
    names = data.draw(st.lists(st.sampled_from(space.names), unique=True))
    wild = space.configuration({name: space[name].at(data.draw(POSITIONS)) for name in names})
    mended = repair(wild, space, clients)
    space.validate(mended)
    assert fits(mended, space, clients)
    assert repair(mended, space, clients) == mended
    changes = mended.changes(wild)
    assert set(changes) <= MEMORY_KNOBS
    assert all(value <= wild[name] for name, value in changes.items())
    if fits(wild, space, clients):
        assert mended == wild


@given(st.data(), servers, st.integers(1, 20))
def test_more_of_anything_never_demands_less(data, space, clients):
    name = data.draw(st.sampled_from(sorted(MEMORY_KNOBS)))
    low, high = sorted((data.draw(POSITIONS), data.draw(POSITIONS)))
    knob = space[name]
    less, more = (
        space.configuration({name: knob.at_fraction(fraction)}) for fraction in (low, high)
    )
    assert memory_demand(less, space, clients) <= memory_demand(more, space, clients)
    assert memory_demand(more, space, clients) <= memory_demand(more, space, clients + 1)


@given(servers, st.integers(1, 50))
def test_the_defaults_always_fit(space, clients):
    assert fits(space.default(), space, clients)
    assert repair(space.default(), space, clients) == space.default()


@pytest.mark.parametrize("memory", [512 * MIB, 1024 * MIB, 24 * 1024 * MIB])
def test_one_analytic_session_keeps_useful_amounts_after_repair(memory: int):
    space = server(memory)
    greedy = space.configuration(
        {name: space[name].at_fraction(1) for name in sorted(MEMORY_KNOBS)}
    )
    mended = repair(greedy, space)
    hashes = mended["work_mem"] * 1024 * mended["hash_mem_multiplier"]
    assert hashes >= memory / 64
    assert mended["shared_buffers"] * 8192 >= memory / 8


def test_common_analytic_settings_are_left_alone():
    space = server(1024 * MIB)
    usual = space.configuration({"shared_buffers": 32768, "work_mem": 32768})
    assert repair(usual, space) == usual


def test_a_forbidden_amount_does_not_fit(space: KnobSpace):
    assert not fits(space.configuration({"work_mem": 256 << 10}), space)
    assert not fits(space.configuration({"work_mem": 64 << 10}), space, clients=10)


def test_the_demand_can_be_added_up_by_hand(space: KnobSpace):
    configuration = space.configuration(
        {
            "shared_buffers": 256 * MIB // 8192,
            "wal_buffers": 16 * MIB // 8192,
            "work_mem": 8192,
            "hash_mem_multiplier": 2.0,
            "max_parallel_workers_per_gather": 1,
            "temp_buffers": 1024,
            "maintenance_work_mem": 64 << 10,
        }
    )
    processes = 3 + 3  # each client has one worker
    sorts = processes * 2 * 8 * 2
    expected = 256 + 16 + sorts + 3 * 8 + 64 + processes * 8
    assert memory_demand(configuration, space, clients=3) == expected * MIB


def test_the_pool_limits_the_workers_of_many_clients(space: KnobSpace):
    pool = space.configuration({"max_parallel_workers": 2, "max_parallel_workers_per_gather": 2})
    more = space.configuration({"max_parallel_workers": 8, "max_parallel_workers_per_gather": 2})
    assert memory_demand(pool, space, 1) == memory_demand(more, space, 1)
    assert memory_demand(pool, space, 4) < memory_demand(more, space, 4)


def test_knobs_outside_the_space_count_with_the_servers_default(space: KnobSpace):
    part = space.subset(["work_mem"])
    assert memory_demand(part.default(), part) == memory_demand(space.default(), space)
    mended = repair(part.configuration({"work_mem": 256 << 10}), part)
    assert fits(mended, part)
    assert memory_demand(mended, part) > memory_budget(part) * 0.8
