"""How far the knobs of one server may go, where that is less than their range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.cli.server_report import summary
from llmtune.errors import InvalidConfiguration
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.levels import LevelCodec
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.account import give, server_account
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.live.leeway import WAL_SIZES, WORKERS, leeways_of, wal_leeway
from llmtune.postgres.live.machine import wal_room
from llmtune.postgres.live.present import read_present
from llmtune.postgres.live.restarter import FakeRestarter
from llmtune.postgres.server_settings import settings_rows
from llmtune.postgres.settings import SettingsApplier
from tests.faults.test_no_room import Disk
from tests.postgres.live_server import Cluster, address, cluster, run

HARDWARE = Hardware(cores=2, memory=1 << 30)


def whole(version: int) -> KnobSpace:
    return resolve_space(load_catalogue(), version, HARDWARE)


def test_a_server_of_large_wal_segments_starts_with_all_that_it_may_be_given(cache: Path) -> None:
    with cluster(cache, "--wal-segsize=64") as own:
        with DsnTarget(own.address, HARDWARE) as target:
            space = target.tunable(whole(target.version))
            least = space.configuration({name: space[name].low for name in WAL_SIZES})
            assert (least["min_wal_size"], least["max_wal_size"]) == (128, 256)
            with pytest.raises(InvalidConfiguration, match="min_wal_size: 80 is not allowed"):
                space.parse("min_wal_size", "80MB")
            codec = LevelCodec(space)
            named = [codec.value("min_wal_size", one) for one in codec.labels("min_wal_size")]
            assert min(map(float, named)) == 128
            told = "\n".join(summary(target.report))
            assert "min_wal_size: 128MB (2 WAL segments, or it would not start) to" in told
            SettingsApplier(target, space).apply(least)
            assert own.control("restart"), own.log
        assert refused(own, "80MB"), "the reason for all this"


@pytest.fixture
def disk(cache: Path) -> Iterator[Disk]:
    disk = Disk(cache / "wal-disk", 5000)
    yield disk
    disk.unmount()


def test_the_wal_is_kept_within_half_of_its_disk(cache: Path, disk: Disk) -> None:
    give(server_account(), disk.folder)
    with cluster(cache, f"--waldir={disk.folder / 'wal'}") as own:
        report = DsnTarget(own.address, HARDWARE).inspect()
    assert {name: report.leeways[name].high for name in WAL_SIZES} == dict.fromkeys(WAL_SIZES, 2048)
    assert "to 2GB (within half of what its disk has for it" in "\n".join(summary(report))


@given(st.integers(1, 1 << 40), st.integers(32, 1 << 30))
def test_the_wal_may_never_grow_over_half_of_its_room_by_us(room: int, present: int) -> None:
    high = wal_leeway(16, present, room).high
    assert high is not None
    assert high == present or present < high <= room // 2
    assert high == present or high == wal_leeway(16, present, int(high) * 2).high


def test_on_a_disk_that_cannot_be_seen_the_wal_grows_by_a_measure(tmp_path: Path) -> None:
    assert wal_leeway(16, 1024, None).high == 4096
    assert wal_room(None) is None
    assert wal_room(tmp_path) is None, "no data folder"


@pytest.fixture
def workers(embedded: EmbeddedTarget) -> Iterator[str]:
    """The address of a server whose owner gave it more background workers."""
    run(embedded, "ALTER SYSTEM SET max_worker_processes = 12")
    embedded.restart()
    yield address(embedded)
    embedded.recover()


def test_workers_that_others_may_count_on_are_not_taken_away(workers: str) -> None:
    target = DsnTarget(workers, Hardware(8, 1 << 30), FakeRestarter(lambda: None))
    target.inspect()
    knob = target.tunable(resolve_space(load_catalogue(), 18, target.hardware))[WORKERS]
    assert (knob.low, knob.high, knob.default, knob.baseline) == (12, 16, 12, 12)


def test_workers_are_left_alone_where_no_more_of_them_would_help(workers: str) -> None:
    report = DsnTarget(workers, HARDWARE, FakeRestarter(lambda: None)).inspect()
    left = {one.name: one.obstacle for one in report.reaches if not one.reachable}
    assert list(left) == [WORKERS, "fsync"]
    assert "nothing is left of its scale: at least the present 12" in left[WORKERS]


def test_what_the_server_takes_at_all_ends_a_scale(embedded: EmbeddedTarget) -> None:
    with embedded.connect() as connection:
        settings = {one.name: one for one in settings_rows(connection)}
        present = read_present(connection, ["work_mem", "jit", "random_page_cost"])
    space = resolve_space(load_catalogue(), 18, Hardware(4, 64 << 30))
    assert leeways_of(space, settings, present, 16 << 20, None) == {}
    settings["work_mem"] = replace(settings["work_mem"], max_val="2097151")  # as on Windows
    (leeway,) = leeways_of(space, settings, present, 16 << 20, None).items()
    assert leeway[0] == "work_mem"
    assert leeway[1].why == "64kB to 2097151kB, which is all that this server takes"
    assert space.within({"work_mem": (leeway[1].low, leeway[1].high)})["work_mem"].high == 2097151


def refused(own: Cluster, size: str) -> bool:
    """Whether the server lets `min_wal_size` be set and then does not start with it."""
    with psycopg.connect(own.address, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET min_wal_size = '{size}'".encode())
    return not own.control("restart") and "at least twice" in own.log


def test_larger_segments_leave_less_of_both_sizes() -> None:
    usual, largest = (wal_leeway(each, 8192, None) for each in (16, 1024))
    assert not [name for name in WAL_SIZES if usual.narrows(whole(18)[name])]
    assert all(largest.narrows(whole(18)[name]) for name in WAL_SIZES)
    space = whole(18).within(dict.fromkeys(WAL_SIZES, (largest.low, largest.high)))
    assert [space.default()[name] for name in WAL_SIZES] == [2048, 2048]
