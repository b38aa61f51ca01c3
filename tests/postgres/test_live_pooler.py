"""A connection pooler between us and the server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmtune.errors import TargetError
from llmtune.knobs.hardware import Hardware
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from tests.postgres.fake_pooler import PORT, FakePooler
from tests.postgres.live_server import socket_of

HARDWARE = Hardware(cores=2, memory=1 << 30)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, as a socket's must be."""
    with tempfile.TemporaryDirectory(prefix="pool-") as name:
        yield Path(name)


def test_one_that_lends_by_transaction_is_refused(folder: Path, embedded: EmbeddedTarget) -> None:
    pooler = FakePooler(folder, socket_of(embedded), by_session=False)
    with pytest.raises(TargetError, match="pooler in transaction mode"):
        DsnTarget(f"host={folder} port={PORT} user=postgres dbname=postgres", HARDWARE).inspect()
    pooler.close()


def test_one_that_lends_by_session_will_do(folder: Path, embedded: EmbeddedTarget) -> None:
    pooler = FakePooler(folder, socket_of(embedded), by_session=True)
    dsn = f"host={folder} port={PORT} user=postgres dbname=postgres"
    report = DsnTarget(dsn, HARDWARE).inspect()
    pooler.close()
    assert report.version == embedded.version
