"""Finding PostgreSQL's programs, and the slots that servers live in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from llmtune.errors import TargetError, UnsupportedServer
from llmtune.postgres.account import may_run, run_as, server_account
from llmtune.postgres.binaries import (
    EMBEDDED_PARTS,
    EMBEDDED_PROGRAMS,
    Binaries,
    find_binaries,
    runnable_binaries,
)
from llmtune.postgres.slots import Traces, idle_slots, slots_settled, take_slot

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers have another account")


def fake_server(folder: Path, answer: str) -> Path:
    """A folder with a program `postgres` that answers `--version` so."""
    program = folder / "postgres"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    return folder


def test_the_embedded_server_is_found_without_being_imported() -> None:
    binaries = find_binaries()
    assert binaries.major == 18
    assert binaries.bundled
    assert Path(binaries.program("initdb")).exists()


@pytest.mark.parametrize(
    ("answer", "release", "major"),
    [
        ("postgres (PostgreSQL) 14.1", "14.1", 14),
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18", 15),
        ("postgres (PostgreSQL) 18rc1", "18rc1", 18),
    ],
)
def test_reads_versions(tmp_path: Path, answer: str, release: str, major: int) -> None:
    binaries = find_binaries(fake_server(tmp_path, answer))
    assert (binaries.release, binaries.major, binaries.bundled) == (release, major, False)


@pytest.mark.parametrize("release", ["9.6.24", "13.23", "19beta1"])
def test_refuses_versions_outside_the_catalogue(tmp_path: Path, release: str) -> None:
    with pytest.raises(UnsupportedServer, match="versions 14 to 18"):
        find_binaries(fake_server(tmp_path, f"postgres (PostgreSQL) {release}"))


def test_refuses_what_is_no_server(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="not a working PostgreSQL"):
        find_binaries(tmp_path)
    with pytest.raises(TargetError, match="reports no PostgreSQL version"):
        find_binaries(fake_server(tmp_path, "hello"))


@AS_ROOT
def test_programs_out_of_reach_are_copied_once(tmp_path: Path, cache: Path) -> None:
    account = server_account()
    assert account is not None
    found = find_binaries()
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    for part in EMBEDDED_PARTS:
        shutil.copytree(found.folder.parents[2] / part, home / part)
    private = Binaries(home / EMBEDDED_PROGRAMS, found.release, bundled=True)
    copies = [runnable_binaries(private, account, cache) for _ in range(2)]
    assert copies[0] == copies[1]
    assert may_run(account, Path(copies[0].program("postgres")))
    done = run_as(account, [copies[0].program("initdb"), "--version"])
    assert done.stdout.strip().endswith(private.release)


@AS_ROOT
def test_a_distributions_programs_are_not_copied(tmp_path: Path, cache: Path) -> None:
    tmp_path.chmod(0o700)
    binaries = find_binaries(fake_server(tmp_path, "postgres (PostgreSQL) 16.2"))
    with pytest.raises(TargetError, match="may not run"):
        runnable_binaries(binaries, server_account(), cache)


def test_slots_are_exclusive_and_the_lowest_free_one_is_taken(tmp_path: Path) -> None:
    with slots_settled(tmp_path), take_slot(tmp_path, "pg18") as first:
        with take_slot(tmp_path, "pg18") as second, take_slot(tmp_path, "pg17") as other:
            assert [slot.number for slot in (first, second, other)] == [0, 1, 0]
            assert list(idle_slots(tmp_path, "pg*")) == []
        assert [slot.folder.name for slot in idle_slots(tmp_path, "pg*")] == ["pg17-0", "pg18-1"]
        with take_slot(tmp_path, "pg18") as again:
            assert again.number == 1


def test_a_slot_remembers_traces_until_they_are_cleared(tmp_path: Path) -> None:
    traces = Traces(sockets=tmp_path / "s", memory_group=tmp_path / "m")
    with take_slot(tmp_path, "pg18") as slot:
        assert slot.traces() == Traces()
        slot.note(traces)
    with take_slot(tmp_path, "pg18") as slot:
        assert slot.traces() == traces
        slot.note(Traces())
        assert slot.traces() == Traces()
