"""A connection pooler between us and the server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from llmtune.errors import TargetError
from llmtune.knobs.hardware import Hardware
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.session import LIMITS
from tests.postgres.fake_pooler import PORT, FakePooler
from tests.postgres.live_server import run, socket_of

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


def test_one_that_is_refused_lends_processes_on_which_nothing_was_set(
    folder: Path, embedded: EmbeddedTarget
) -> None:
    run(embedded, *(f"ALTER ROLE postgres SET {name} = '7min'" for name in LIMITS))
    pooler = FakePooler(folder, socket_of(embedded), by_session=False)
    dsn = f"host={folder} port={PORT} user=postgres dbname=postgres"
    try:
        with pytest.raises(TargetError, match="pooler in transaction mode"):
            DsnTarget(dsn, HARDWARE).inspect()
        with lent(dsn) as one, lent(dsn) as other:
            for name in LIMITS:
                assert {shown_to(one, name), shown_to(other, name)} == {"7min"}
    finally:
        pooler.close()
        run(embedded, "ALTER ROLE postgres RESET ALL")


@contextmanager
def lent(dsn: str) -> Iterator[psycopg.Connection]:
    """A client that keeps one of the pooler's processes, in a transaction."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT 1")
        yield connection


def shown_to(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def test_one_that_lends_by_session_will_do(folder: Path, embedded: EmbeddedTarget) -> None:
    pooler = FakePooler(folder, socket_of(embedded), by_session=True)
    dsn = f"host={folder} port={PORT} user=postgres dbname=postgres"
    report = DsnTarget(dsn, HARDWARE).inspect()
    pooler.close()
    assert report.version == embedded.version
