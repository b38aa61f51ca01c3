"""A disk is full: the store's, the output folder's, the server's. Each on a small file system."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.tuning.record import SessionStatus
from tests.faults.scene import TRIALS, Scene, set_up
from tests.faults.wire import Point

MOUNT, UNMOUNT = "/bin/mount", "/bin/umount"
BETWEEN = Point("source IN ('default', 'override')", trials=9)


class Disk:
    """A small file system in memory."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        folder.mkdir()
        options = f"size={megabytes}m,mode=755"
        done = subprocess.run(
            [MOUNT, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            pytest.skip(f"a small file system takes root's rights: {done.stderr.strip()}")

    def fill(self, _: object = None) -> None:
        with (self.folder / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def make_room(self) -> None:
        (self.folder / "filler").unlink()

    def unmount(self) -> None:
        subprocess.run([UNMOUNT, "--lazy", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk", 4)
    yield disk
    disk.unmount()


def test_for_the_session_store(scene: Scene, disk: Disk) -> None:
    scene.database = disk.folder / "sessions.db"
    done = scene.meet(BETWEEN, disk.fill)
    assert done.code == 1
    assert "the session store" in done.stderr
    assert "full" in done.stderr
    disk.make_room()
    restored = scene.stored("restore")
    assert restored.code == 0, restored.stderr
    scene.check_original()
    assert len(scene.journal()) == 9
    scene.check_resumes()


def test_for_the_result(scene: Scene, disk: Disk) -> None:
    scene.out = disk.folder
    done = scene.meet(BETWEEN, disk.fill)
    assert done.code == 1
    assert "its result cannot be written" in done.stderr
    assert f"`llmtune resume {scene.session} --store {scene.url}` writes it" in done.stderr
    assert scene.status is SessionStatus.FINISHED
    assert len(scene.journal()) == TRIALS
    scene.check_original()
    disk.make_room()
    scene.check_resumes()
    assert len(scene.journal()) == TRIALS
    again = scene.stored("resume", scene.session)
    assert again.code == 1
    assert "nothing to resume" in again.stderr


@pytest.fixture
def small(cache: Path) -> Iterator[Disk]:
    disk = Disk(cache / "small", 300)
    yield disk
    disk.unmount()


@pytest.fixture
def cramped(small: Disk, tmp_path: Path, door: Path) -> Iterator[Scene]:
    """A server whose whole cache is on a small file system."""
    with EmbeddedTarget(cache=small.folder) as server:
        set_up(server)
        yield Scene(server, tmp_path, door)


def test_for_the_servers_data(cramped: Scene, small: Disk) -> None:
    scene, disk = cramped, small
    done = scene.meet(BETWEEN, disk.fill)
    assert done.code == 1
    assert "No space left on device" in done.stderr
    assert "went away" not in done.stderr
    assert f"llmtune restore {scene.session}" in done.stderr
    assert scene.due == [scene.session]
    disk.make_room()
    assert scene.stored("restore").code == 0
    scene.check_original()
    scene.check_resumes()
