"""The catalogue: what it says of knobs, its fingerprint, and its check."""

from dataclasses import replace
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.errors import CatalogueMismatch
from llmtune.knobs.bounds import evaluate
from llmtune.knobs.catalogue import (
    Catalogue,
    SettingRow,
    check,
    differences,
    load_catalogue,
    parse_catalogue,
)
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.knob import MAX_LEVELS, Effect, Kind, Knob, Scale
from llmtune.knobs.space import KnobSpace, resolve_space

GROUPS = {"memory", "planner", "parallel", "joins", "io", "wal", "writer", "autovacuum"}
JIT_ROW = SettingRow("jit", "bool", None, None, None, None, "on", "user")
WORK_MEM_ROW = SettingRow("work_mem", "integer", "kB", "64", "2147483647", None, "4096", "user")


def only(name: str) -> Catalogue:
    return Catalogue(tuple(knob for knob in load_catalogue().knobs if knob.name == name))


def named(name: str) -> Knob:
    return only(name).knobs[0]


@pytest.mark.parametrize("version", range(14, 19))
def test_every_version_has_forty_knobs_or_more_of_every_group(version: int):
    space = resolve_space(load_catalogue(), version, Hardware(2, 1 << 30))
    assert len(space.knobs) >= 40
    assert {knob.knob.group for knob in space.knobs} == GROUPS


@pytest.mark.parametrize("knob", load_catalogue().knobs, ids=lambda knob: knob.name)
def test_a_knob_can_be_named_and_explained(knob: Knob):
    assert 2 <= knob.level_count <= MAX_LEVELS
    assert knob.why.endswith(".")
    assert 20 <= len(knob.why) <= 100
    assert not knob.why.startswith("The same"), "it is read without the others"


def test_durability_knobs_are_in_a_group_of_their_own():
    risky = {knob.name for knob in load_catalogue().knobs if knob.durability}
    assert risky == {"fsync", "full_page_writes", "synchronous_commit"}
    assert {knob.name for knob in load_catalogue().knobs if knob.group == "durability"} == risky


def test_what_changed_between_versions_is_known():
    assert named("hash_mem_multiplier").default(14) == 1.0
    assert named("hash_mem_multiplier").default(17) == 2.0
    assert named("autovacuum_max_workers").effect(17) is Effect.RESTART
    assert named("autovacuum_max_workers").effect(18) is Effect.RELOAD
    assert not named("io_method").exists_in(17)


def test_the_fingerprint_ignores_only_the_texts_for_people():
    catalogue = load_catalogue()
    first, *rest = catalogue.knobs
    assert Catalogue((replace(first, why="Other words."), *rest)).hash == catalogue.hash
    assert Catalogue((replace(first, levels=3), *rest)).hash != catalogue.hash
    assert Catalogue((*rest, first)).hash != catalogue.hash


def test_the_shipped_file_is_the_catalogue():
    text = resources.files("llmtune.knobs").joinpath("catalogue.toml").read_text(encoding="utf-8")
    assert parse_catalogue(text) == load_catalogue()


def test_a_knob_twice_is_refused():
    with pytest.raises(ValueError, match="same name"):
        Catalogue(load_catalogue().knobs * 2)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"scale": Scale.CHOICE}, "cannot be choice"),
        ({"levels": 13}, "levels"),
        ({"levels": 1}, "levels"),
        ({"computed": (-1,)}, "not special"),
        ({"kind": Kind.BOOL}, "cannot be log"),
    ],
)
def test_an_impossible_knob_is_refused(change: dict, complaint: str):
    with pytest.raises(ValueError, match=complaint):
        replace(named("work_mem"), **change)


@given(data=st.data())
def test_bounds_leave_room_and_memory_is_a_share(spaces, data: st.DataObject):
    space: KnobSpace = data.draw(spaces)
    for knob in space.knobs:
        assert knob.low < knob.high
    assert space["work_mem"].high * 1024 <= space.hardware.memory * 0.27
    assert space["shared_buffers"].high * 8192 <= space.hardware.memory * 0.62


def test_bounds_are_arithmetic_and_nothing_else():
    hardware = Hardware(4, 1 << 30)
    assert evaluate("min(2*cores, max(3, ram/GB)) - 1 + 0.5", hardware) == 2.5
    for bound in ("__import__('os')", "ram.real", "cpus", "'text'", "ram ** 2", "max(*[1])"):
        with pytest.raises(ValueError, match="may not contain"):
            evaluate(bound, hardware)


def test_a_server_that_agrees_passes():
    check(only("jit"), 18, [JIT_ROW])
    check(only("work_mem"), 18, [WORK_MEM_ROW])
    check(only("io_method"), 17, [])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"unit": "8kB"}, "work_mem: .*integer in 8kB"),
        ({"vartype": "real"}, "work_mem: .*real in kB"),
        ({"context": "postmaster"}, "work_mem: .*session, the server postmaster"),
        ({"boot_val": "1024"}, "work_mem: .*default 4096, the server 1024"),
        ({"max_val": "1048576"}, "work_mem: .*outside the server's 64 to 1048576"),
        ({"min_val": "128"}, "work_mem: 64 is outside"),
    ],
)
def test_a_difference_is_named(change: dict, complaint: str):
    with pytest.raises(CatalogueMismatch, match=complaint):
        check(only("work_mem"), 18, [replace(WORK_MEM_ROW, **change)])


def test_of_a_server_that_differs_only_the_knobs_that_differ_are_told():
    # As on a system without posix_fadvise; and a limit is no difference.
    row = SettingRow("effective_io_concurrency", "integer", None, "0", "1000", None, "0", "user")
    rows = {"work_mem": replace(WORK_MEM_ROW, max_val="2097151"), row.name: row}
    catalogue = Catalogue((named("work_mem"), named("effective_io_concurrency")))
    found = differences(catalogue, 17, rows)
    assert found == {row.name: "the catalogue says default 1, the server 0"}
    assert "does not have it" in differences(catalogue, 17, {})["work_mem"]


def test_a_missing_knob_and_a_missing_choice_are_named():
    with pytest.raises(CatalogueMismatch, match="jit: the server does not have it"):
        check(only("jit"), 18, [])
    row = SettingRow("io_method", "enum", None, None, None, ("sync",), "worker", "postmaster")
    with pytest.raises(CatalogueMismatch, match="io_method: no choice 'worker'"):
        check(only("io_method"), 18, [row])
