"""One server for all faults, put right again after each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmtune.postgres.embedded import EmbeddedTarget
from tests.faults.scene import OWNERS, Scene
from tests.faults.wire import leave_open


@pytest.fixture(scope="session")
def victim(cache: Path) -> Iterator[EmbeddedTarget]:
    with EmbeddedTarget(cache=cache) as server:
        with server.connect() as connection:
            connection.execute("CREATE TABLE notes AS SELECT generate_series(1, 100) AS n")
        yield server


@pytest.fixture
def scene(victim: EmbeddedTarget, tmp_path: Path) -> Iterator[Scene]:
    with victim.connect() as connection:
        for entry in OWNERS:
            connection.execute(f"ALTER SYSTEM SET {entry}".encode())
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("SELECT pg_sleep(0.05)")
    with tempfile.TemporaryDirectory(prefix="door-") as folder:
        scene = Scene(victim, tmp_path, Path(folder))
        leave_open(scene.door, scene.sockets)
        yield scene
    victim.recover()
