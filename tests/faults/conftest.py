"""One server for all faults, put right again after each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmtune.postgres.embedded import EmbeddedTarget
from tests.faults.scene import Scene, set_up


@pytest.fixture(scope="session")
def victim(cache: Path) -> Iterator[EmbeddedTarget]:
    """A server that faults are tried on; nobody else's, for it dies now and then."""
    with EmbeddedTarget(cache=cache) as server:
        yield server


@pytest.fixture
def door() -> Iterator[Path]:
    """A folder for the socket that tuners use; its path is short."""
    with tempfile.TemporaryDirectory(prefix="door-") as folder:
        yield Path(folder)


@pytest.fixture
def scene(victim: EmbeddedTarget, tmp_path: Path, door: Path) -> Iterator[Scene]:
    set_up(victim)
    scene = Scene(victim, tmp_path, door)
    yield scene
    scene.leave()
    victim.recover()
