"""DuckDB with the rows that PostgreSQL has, as an independent engine."""

import importlib.util
from collections.abc import Iterator
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


def _tpch_extension() -> Path:
    package = importlib.util.find_spec("duckdb_extension_tpch")
    assert package is not None
    assert package.origin is not None
    return next(Path(package.origin).parent.rglob("tpch.duckdb_extension"))
