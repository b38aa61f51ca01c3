"""The laws of the level codec."""

import pytest
from hypothesis import given
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
    levels = sorted({knob.fraction(codec.value(knob.name, letter)) for letter in letters})
    below = max(level for level in levels if level <= fraction)
    above = min(level for level in levels if level >= fraction)
    return (above - below) / 2


@given(data=st.data())
def test_going_to_levels_and_back_moves_a_value_by_half_a_level_at_most(
    spaces, data: st.DataObject
):
    space: KnobSpace = data.draw(spaces)
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
            moved = abs(knob.fraction(decoded[name]) - knob.fraction(value))
            assert moved <= half_gap(codec, knob, knob.fraction(value)) + 1e-9


@given(data=st.data())
def test_any_labels_decode_to_a_valid_configuration_that_encoding_keeps(
    spaces, data: st.DataObject
):
    space: KnobSpace = data.draw(spaces)
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
