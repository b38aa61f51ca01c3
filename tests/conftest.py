"""Fixtures that several areas share: one embedded server, one small data set."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from llmtune.errors import TargetError
from llmtune.postgres.docker.engine import connect_engine
from llmtune.postgres.docker.image import find_image
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.load import ensure_loaded
from workloads.tpch import tpch_workload

IMAGE_RECIPE = Path(__file__).parent / "images" / "postgres"


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


@pytest.fixture(scope="session")
def postgres_image() -> str:
    """The image that `.ci/docker` builds; the name changes with its recipe."""
    recipe = b"".join(path.read_bytes() for path in sorted(IMAGE_RECIPE.iterdir()))
    image = f"llmtune-test-postgres:{sha256(recipe).hexdigest()[:12]}"
    try:
        engine = connect_engine()
    except TargetError as error:
        pytest.skip(f"no Docker engine here: {error}")
    try:
        find_image(engine, image)
    except TargetError:
        pytest.skip(f"the image {image} is not built: run .ci/docker as root")
    finally:
        engine.close()
    return image
