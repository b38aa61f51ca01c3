"""The laws of the level codec."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llmtune.errors import InvalidConfiguration, UnknownName
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.levels import DEFAULT_LABEL, LEVELS, LevelCodec
from llmtune.knobs.resolved import ResolvedKnob
from llmtune.knobs.space import KnobSpace, resolve_space


def half_gap(codec: LevelCodec, knob: ResolvedKnob, fraction: float) -> float:
    """Half the distance between the two levels of the knob around a place on its scale."""
    letters = codec.labels(knob.name)[1 + len(knob.specials) :]
    place = knob.catalogued.fraction
    levels = sorted({place(codec.value(knob.name, letter)) for letter in letters})
    below = max(level for level in levels if level <= fraction)
    above = min(level for level in levels if level >= fraction)
    return (above - below) / 2


def narrowed(space: KnobSpace, data: st.DataObject) -> KnobSpace:
    """The space where one server leaves less of a knob's scale."""
    knob = data.draw(st.sampled_from([knob for knob in space.knobs if not knob.knob.choices]))
    places = data.draw(st.tuples(st.floats(0, 1), st.floats(0, 1)))
    low, high = sorted(float(knob.at_fraction(place)) for place in places)
    assume(low < high)
    return space.within({knob.name: (low, high)})


@given(data=st.data())
def test_going_to_levels_and_back_moves_a_value_by_half_a_level_at_most(
    spaces, data: st.DataObject
):
    space: KnobSpace = data.draw(spaces)
    space = narrowed(space, data) if data.draw(st.booleans()) else space
    codec = LevelCodec(space)
    positions = data.draw(st.dictionaries(st.sampled_from(space.names), st.floats(0, 1)))
    changes = {name: space[name].at(position) for name, position in positions.items()}
    original = space.configuration(changes)
    decoded = codec.decode(codec.encode(original))
    for name in changes:
        knob, value = space[name], original[name]
        if value == knob.default or value in knob.specials:
            assert decoded[name] == value
        else:
            place = knob.catalogued.fraction
            moved = abs(place(decoded[name]) - place(value))
            assert moved <= half_gap(codec, knob, place(value)) + 1e-9


@given(data=st.data())
def test_any_labels_decode_to_a_valid_configuration_that_encoding_keeps(
    spaces, data: st.DataObject
):
    space: KnobSpace = data.draw(spaces)
    space = narrowed(space, data) if data.draw(st.booleans()) else space
    codec = LevelCodec(space)
    names = data.draw(st.sets(st.sampled_from(space.names)))
    labels = {name: data.draw(st.sampled_from(codec.labels(name))) for name in sorted(names)}
    configuration = codec.decode(labels)
    space.validate(configuration)
    assert codec.decode(codec.encode(configuration)) == configuration


@given(data=st.data())
def test_every_default_is_exactly_expressible(spaces, data: st.DataObject):
    space: KnobSpace = data.draw(spaces)
    codec = LevelCodec(space)
    labels = codec.encode(space.default())
    assert set(labels.values()) == {DEFAULT_LABEL}
    assert tuple(labels) == space.names
    assert codec.decode(labels) == codec.decode({}) == space.default()


@given(data=st.data())
def test_a_level_means_the_same_wherever_a_server_ends_the_scale(spaces, data: st.DataObject):
    whole: KnobSpace = data.draw(spaces)
    here = narrowed(whole, data)
    everywhere, ended = LevelCodec(whole), LevelCodec(here)
    for knob in here.knobs:
        for label in everywhere.labels(knob.name)[1:]:
            meant, value = (codec.value(knob.name, label) for codec in (everywhere, ended))
            inside = meant in knob.specials or knob.contains(meant)
            assert value == meant if inside else value in (knob.low, knob.high)


def test_levels_outside_what_a_server_leaves_stand_for_the_nearer_end():
    name = "max_worker_processes"  # on eight cores 1 to 16, in levels 1, 2, 4, 8, 16
    whole = resolve_space(load_catalogue(), 18, Hardware(8, 1 << 30))
    for least, values in ((8, [8, 8, 8, 8, 8, 16]), (12, [12, 12, 12, 12, 12, 16])):
        codec = LevelCodec(whole.within({name: (least, None)}))
        assert [codec.value(name, label) for label in codec.labels(name)] == values
    assert [codec.label(name, value) for value in (12, 13, 14, 16)] == ["default", "D", "E", "E"]


@given(data=st.data())
def test_labels_are_the_catalogues_whatever_the_hardware(hardwares, data: st.DataObject):
    one, other = (
        LevelCodec(resolve_space(load_catalogue(), 18, data.draw(hardwares))) for _ in range(2)
    )
    for name in one.space.names:
        labels = one.labels(name)
        assert labels == other.labels(name)
        assert labels == (DEFAULT_LABEL, *LEVELS[: len(labels) - 1])


def test_a_level_is_the_same_share_of_memory_on_any_machine():
    small, large = (
        LevelCodec(resolve_space(load_catalogue(), 18, Hardware(2, memory << 30)))
        for memory in (1, 64)
    )
    for name in ("shared_buffers", "work_mem", "maintenance_work_mem", "effective_cache_size"):
        for label in small.labels(name)[1:]:
            ratio = large.value(name, label) / small.value(name, label)
            assert ratio == pytest.approx(64, rel=0.04)


def test_special_values_are_the_first_levels(space: KnobSpace):
    codec = LevelCodec(space)
    assert codec.value("wal_buffers", "A") == -1
    assert codec.value("max_parallel_workers_per_gather", "A") == 0
    assert (
        codec.encode(space.configuration({"max_parallel_workers_per_gather": 0}))[
            "max_parallel_workers_per_gather"
        ]
        == "A"
    )


def test_a_work_mem_level_is_twice_the_one_before(space: KnobSpace):
    codec = LevelCodec(space)
    values = [codec.value("work_mem", label) for label in codec.labels("work_mem")[1:]]
    assert values == [128 * 2**level for level in range(12)]


def test_unknown_labels_and_knobs_are_refused(space: KnobSpace):
    codec = LevelCodec(space)
    with pytest.raises(InvalidConfiguration, match="jit: no level 'L'; levels: default, A, B"):
        codec.decode({"jit": "L"})
    with pytest.raises(UnknownName):
        codec.decode({"fsync": "A"})
