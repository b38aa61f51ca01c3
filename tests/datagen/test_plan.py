from itertools import islice
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datagen.plan import neighbours, sample, schedule, without_each_change
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.levels import LevelCodec
from llmtune.knobs.memory import fits
from llmtune.knobs.space import resolve_space

SEEDS = st.integers(0, 1 << 30)
HARDWARES = st.builds(Hardware, st.integers(1, 128), st.floats(26, 40).map(lambda e: int(2**e)))
VERSIONS = st.sampled_from([14, 18])
CLIENTS = st.integers(1, 16)


def first(candidates, count):
    return list(islice(candidates, count))


def test_one_seed_gives_one_plan(space):
    plan = first(schedule(space, 1), 40)
    assert plan == first(schedule(space, 1), 40)
    assert plan[:10] == first(schedule(space, 1), 10)
    assert plan != first(schedule(space, 2), 40)


def test_the_default_is_repeated_and_the_rules_are_tried(space):
    plan = first(schedule(space, 1), 60)
    assert [one.source for one in plan[:5]] == ["default"] * 3 + ["rules", "sampled"]
    places = [place for place, one in enumerate(plan) if one.source == "default"]
    assert places == [0, 1, 2, 24, 45]
    default = space.default()
    assert all((one.configuration == default) == (one.source == "default") for one in plan)


def test_samples_change_few_knobs_and_many(space):
    changed = [
        len(one.configuration.changes(space.default())) for one in first(sample(space, 1), 99)
    ]
    assert min(changed) == 1
    assert max(changed) >= len(space.names) - 1


@given(VERSIONS, HARDWARES, SEEDS, CLIENTS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_planned_is_valid_and_fits_the_memory(version, hardware, seed, clients):
    space = resolve_space(load_catalogue(), version, hardware)
    levels = LevelCodec(space)
    for candidate in first(schedule(space, seed, clients), 12):
        space.validate(candidate.configuration)
        assert fits(candidate.configuration, space, clients)
        named = levels.decode(levels.encode(candidate.configuration))
        assert named == candidate.configuration, "what is measured is what a label can say"


@given(VERSIONS, HARDWARES, SEEDS, CLIENTS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_variations_are_valid_and_fit_the_memory(version, hardware, seed, clients):
    space = resolve_space(load_catalogue(), version, hardware)
    start = next(sample(space, seed, clients)).configuration
    near = first(neighbours(start, space, Random(seed), clients), 10)  # noqa: S311
    simpler = list(without_each_change(start, space, clients))
    levels = LevelCodec(space)
    for configuration in [*near, *simpler]:
        space.validate(configuration)
        assert fits(configuration, space, clients)
        assert levels.decode(levels.encode(configuration)) == configuration
    changes = start.changes(space.default())
    for configuration in simpler:
        left = configuration.changes(space.default())
        assert len(left) == len(changes) - 1
        assert left.items() <= changes.items()


def test_what_needs_a_change_to_fit_keeps_it(space):
    tight = space.configuration({"work_mem": 98304, "hash_mem_multiplier": 1.0})
    assert fits(tight, space)
    assert not fits(space.configuration({"work_mem": 98304}), space)
    left = [one.changes(space.default()) for one in without_each_change(tight, space)]
    assert left == [{"hash_mem_multiplier": 1.0}]


def test_on_a_server_with_settings_of_its_own_changes_are_from_the_default_too(live):
    changed = live.from_default({"enable_nestloop": False})
    assert list(without_each_change(changed, live)) == [live.default()]
    sampled = [one.configuration for one in first(sample(live, 1), 20)]
    assert sum(one["random_page_cost"] == live["random_page_cost"].default for one in sampled) > 5
    near = first(neighbours(changed, live, Random(1)), 30)  # noqa: S311
    assert all(len(one.changes(changed)) <= 3 for one in near)


def test_neighbours_stay_near(space):
    start = next(sample(space, 3)).configuration
    for near in first(neighbours(start, space, Random(1)), 30):  # noqa: S311
        assert len(near.changes(start)) <= 3


def test_neighbours_in_a_space_of_one_knob(space):
    single = space.subset(["work_mem"])
    assert len(first(neighbours(single.default(), single, Random(1)), 20)) == 20  # noqa: S311
