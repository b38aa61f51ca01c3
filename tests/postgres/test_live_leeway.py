"""How far the knobs of one server may go, where that is less than their range."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from llmtune.cli.server_report import summary
from llmtune.errors import InvalidConfiguration
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.levels import LevelCodec
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.live.leeway import WAL_SIZES, wal_leeway
from llmtune.postgres.settings import SettingsApplier
from tests.postgres.live_server import Cluster, cluster

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
            assert "min_wal_size: at least 128MB, 2 WAL segments" in told
            SettingsApplier(target, space).apply(least)
            assert own.control("restart"), own.log
        assert refused(own, "80MB"), "the reason for all this"


def refused(own: Cluster, size: str) -> bool:
    """Whether the server lets `min_wal_size` be set and then does not start with it."""
    with psycopg.connect(own.address, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET min_wal_size = '{size}'".encode())
    return not own.control("restart") and "at least twice" in own.log


def test_larger_segments_leave_less_of_both_sizes() -> None:
    usual, largest = wal_leeway(16), wal_leeway(1024)
    assert not [name for name in WAL_SIZES if usual.narrows(whole(18)[name])]
    assert all(largest.narrows(whole(18)[name]) for name in WAL_SIZES)
    space = whole(18).within(dict.fromkeys(WAL_SIZES, (largest.low, largest.high)))
    assert [space.default()[name] for name in WAL_SIZES] == [2048, 2048]
