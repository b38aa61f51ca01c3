"""A server that a whole module of tests may restart and break."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmtune.postgres.embedded import EmbeddedTarget


@pytest.fixture(scope="module")
def server(cache: Path) -> Iterator[EmbeddedTarget]:
    with EmbeddedTarget(cache=cache) as target:
        yield target
