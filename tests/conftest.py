"""Fixtures that several areas share: one embedded server, one small data set."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.load import ensure_loaded
from workloads.tpch import tpch_workload


@pytest.fixture(scope="session")
def cache() -> Iterator[Path]:
    """A cache folder for servers; as root, the server's account must get in."""
    folder = Path(tempfile.mkdtemp(prefix="llmtune-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def embedded(cache: Path) -> Iterator[EmbeddedTarget]:
    """A running server on its base settings; whoever changes them puts them back."""
    with EmbeddedTarget(cache=cache) as target:
        yield target


@pytest.fixture(scope="session")
def tpch_tiny(embedded: EmbeddedTarget) -> str:
    """The name of a database on `embedded` with TPC-H at scale 0.01."""
    return ensure_loaded(embedded, tpch_workload(0.01, 1).data_set, None)
