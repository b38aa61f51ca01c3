"""Knob spaces: bounds, values, positions, and what they refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.errors import InvalidConfiguration, UnknownName, UnsupportedServer, UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.knob import Effect
from llmtune.knobs.space import KnobSpace, resolve_space

HARDWARE = Hardware(2, 1 << 30)


@given(data=st.data())
def test_every_position_is_a_valid_value_and_its_own_position(spaces, data: st.DataObject):
    space: KnobSpace = data.draw(spaces)
    knob = data.draw(st.sampled_from(space.knobs))
    value = knob.at(data.draw(st.floats(0, 1)))
    assert knob.contains(value)
    assert 0 <= knob.position(value) <= 1
    again = knob.at(knob.position(value))
    assert knob.position(again) == pytest.approx(knob.position(value), abs=0.02)
    if value in knob.specials or knob.knob.choices:
        assert again == value


@given(data=st.data())
def test_what_is_written_for_people_reads_back_as_the_same_value(spaces, data: st.DataObject):
    space: KnobSpace = data.draw(spaces)
    knob = data.draw(st.sampled_from(space.knobs))
    value = knob.at(data.draw(st.floats(0, 1)))
    assert space.parse(knob.name, knob.format(value)) == value
    assert space.parse(knob.name, knob.format(knob.default)) == knob.default


@given(data=st.data())
def test_higher_positions_are_higher_values(spaces, data: st.DataObject):
    space: KnobSpace = data.draw(spaces)
    knob = data.draw(st.sampled_from([knob for knob in space.knobs if not knob.knob.choices]))
    low, high = sorted(data.draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))
    assert knob.at_fraction(low) <= knob.at_fraction(high)
    assert knob.at_fraction(0) == knob.low
    assert knob.at_fraction(1) == knob.high


@given(data=st.data())
def test_a_space_accepts_its_default_and_any_drawn_configuration(spaces, data: st.DataObject):
    space: KnobSpace = data.draw(spaces)
    space.validate(space.default())
    positions = data.draw(st.dictionaries(st.sampled_from(space.names), st.floats(0, 1)))
    changes = {name: space[name].at(position) for name, position in positions.items()}
    configuration = space.configuration(changes)
    space.validate(configuration)
    assert tuple(configuration) == space.names
    assert configuration.changes(space.default()).items() <= changes.items()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("work_mem", "64MB", 65536),
        ("work_mem", "65536", 65536),
        ("work_mem", "'8 MB'", 8192),
        ("shared_buffers", "0.25GB", 32768),
        ("random_page_cost", "1.1", 1.1),
        ("jit", "OFF", False),
        ("io_method", "sync", "sync"),
        ("checkpoint_timeout", "15min", 900),
        ("wal_buffers", "-1", -1),
    ],
)
def test_values_are_read_as_a_configuration_file_has_them(space, name, text, value):
    parsed = space.parse(name, text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "legal"),
    [
        ("work_mem", 1 << 30, "128kB to 256MB, or 4MB"),
        ("work_mem", 5000.5, "128kB to 256MB"),
        ("work_mem", True, "128kB to 256MB"),
        ("work_mem", "64MB", "128kB to 256MB"),
        ("random_page_cost", float("nan"), "0.5 to 8"),
        ("max_parallel_workers_per_gather", float("inf"), "1 to 4, or 0, 2"),
        ("jit", 1, "choose from off, on"),
        ("io_method", "io_uring", "choose from sync, worker"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_the_legal_ones(space, name, value, legal):
    with pytest.raises(InvalidConfiguration, match=f"{name}: .*{legal}"):
        space.configuration({name: value})


@pytest.mark.parametrize("text", ["much", "", "1GB", "5min", "64mb"])
def test_a_text_that_is_no_value_is_refused(space, text):
    with pytest.raises(InvalidConfiguration, match="work_mem: "):
        space.parse("work_mem", text)


def test_numbers_take_their_knobs_type(space):
    configuration = space.configuration({"work_mem": 8192.0, "random_page_cost": 2})
    assert isinstance(configuration["work_mem"], int)
    assert isinstance(configuration["random_page_cost"], float)


def test_an_incomplete_or_foreign_configuration_is_refused(space):
    with pytest.raises(InvalidConfiguration, match="lacks shared_buffers"):
        space.validate(Configuration({"work_mem": 4096}))
    with pytest.raises(UnknownName, match="did you mean 'work_mem'"):
        space.configuration({"workmem": 4096})


def test_a_default_outside_the_bounds_is_still_valid():
    large = resolve_space(load_catalogue(), 18, Hardware(64, 1 << 40))
    assert large["work_mem"].default < large["work_mem"].low
    large.validate(large.default())
    assert large["work_mem"].fraction(large["work_mem"].default) == 0


def test_a_subset_keeps_the_order_and_still_knows_all_defaults(space):
    part = space.subset(["random_page_cost", "shared_buffers"])
    assert part.names == ("shared_buffers", "random_page_cost")
    assert "work_mem" not in part
    assert part.server_defaults["work_mem"] == 4096
    with pytest.raises(UnknownName):
        space.subset(["fsync"])


def test_spaces_are_narrowed_by_name_effect_and_durability():
    catalogue = load_catalogue()
    everything = resolve_space(catalogue, 18, HARDWARE, durability=True)
    assert "fsync" in everything
    assert "fsync" not in resolve_space(catalogue, 18, HARDWARE)
    assert resolve_space(catalogue, 18, HARDWARE, names=["jit"]).names == ("jit",)
    restart = resolve_space(catalogue, 18, HARDWARE, effects=[Effect.RESTART])
    assert {knob.effect for knob in restart.knobs} == {Effect.RESTART}


@pytest.mark.parametrize(
    ("version", "names", "error", "complaint"),
    [
        (13, None, UnsupportedServer, "supported are 14 to 18"),
        (19, None, UnsupportedServer, "PostgreSQL 19"),
        (18, ["wrok_mem"], UnknownName, "work_mem"),
        (17, ["io_method"], UsageError, "18 to 18, not in 17"),
        (17, ["io_combine_limit"], UsageError, "is tuned in PostgreSQL 18 to 18"),
        (18, ["fsync"], UsageError, "risks committed data"),
    ],
)
def test_impossible_requests_are_refused(version, names, error, complaint):
    with pytest.raises(error, match=complaint):
        resolve_space(load_catalogue(), version, HARDWARE, names=names)
