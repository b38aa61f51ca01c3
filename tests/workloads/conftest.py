"""DuckDB with the rows that PostgreSQL has, as an independent engine; a folder we may not read."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import duckdb
import pytest

from workloads.tpch import tpch_workload


@pytest.fixture(scope="session")
def duck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """TPC-H at scale factor 0.01 from the generator that `tpch_tiny` comes from."""
    connection = duckdb.connect(config={"threads": 2})
    connection.execute(f"LOAD '{_tpch_extension()}'")
    folder = tmp_path_factory.mktemp("csv")
    for table in tpch_workload(0.01).data_set.tables:
        file = folder / f"{table.name}.csv"
        file.write_bytes(b"".join(table.rows()))
        connection.execute(table.create)
        connection.execute(f"COPY {table.name} FROM '{file}' (FORMAT csv, HEADER false)")
    yield connection
    connection.close()


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Path]:
    """A folder of another account's, as seen by whoever is `unprivileged`."""
    folder = tmp_path / "private"
    folder.mkdir()
    folder.chmod(0)
    yield folder
    folder.chmod(0o700)


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[None]]:
    """Without root's right to read everything, where we have it."""

    @contextmanager
    def nobody() -> Iterator[None]:
        own = os.geteuid()
        if own == 0:
            os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(own)

    return nobody


def _tpch_extension() -> Path:
    package = importlib.util.find_spec("duckdb_extension_tpch")
    assert package is not None
    assert package.origin is not None
    return next(Path(package.origin).parent.rglob("tpch.duckdb_extension"))
