"""The benchmark's data sets: the real IMDb from its CSV files, or a synthetic one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path

from workloads.job.files import CsvFiles, open_csv_files
from workloads.job.schema import CREATE_TABLE, INDEXES, ROW_COUNTS
from workloads.workload import CsvSource, DataSet, Table

_DISK_BYTES_PER_ROW = 115
_DISK_BYTES_EMPTY = 16 << 20
_REAL_CSV_SHARE, _SYNTHETIC_CSV_SHARE = 0.45, 0.33

_SYNTHETIC_SEED = 1
"""Always the same: workloads of different seeds share one loaded database."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One export of the IMDb: a name for it and the rows of each table."""

    name: str
    row_counts: Mapping[str, int]


IMDB_2013 = Edition("imdb-2013", ROW_COUNTS)
"""The export of May 2013 that the benchmark is defined on."""


@dataclass(frozen=True, slots=True)
class FileRows:
    """One table's rows as they stand in its CSV file, as `CsvSource`."""

    files: CsvFiles
    table: str

    def __call__(self) -> Iterator[bytes]:
        """The rows in blocks of bytes.

        Raises:
            LoadError: the file is missing or damaged.
        """
        return self.files.rows(self.table)


def imdb_data_set(path: Path, edition: Edition = IMDB_2013) -> DataSet:
    """The 21 tables from the CSV files in the folder or archive at `path`.

    In these files a backslash stands before quotes and backslashes of quoted fields.

    Raises:
        UsageError: `path` does not exist.
        LoadError: it is no folder or archive, or lacks files.
    """
    files = open_csv_files(path)
    tables = tuple(
        Table(
            name,
            cleandoc(create),
            FileRows(files, name),
            escape="\\",
            origin=files.origin(name),
            row_count=edition.row_counts[name],
            indexes=INDEXES[name],
        )
        for name, create in CREATE_TABLE.items()
    )
    return _data_set(edition.name, tables, sum(edition.row_counts.values()), _REAL_CSV_SHARE)


def synthetic_data_set(scale: float) -> DataSet:
    """Synthetic tables; `scale` 1 has the real row counts.

    Raises:
        UsageError: `scale` is not a positive number, or is too large.
    """
    from workloads.job.synthetic import GENERATOR_VERSION, row_count, synthetic_rows

    sources: Mapping[str, CsvSource] = synthetic_rows(scale, _SYNTHETIC_SEED)
    tables = tuple(
        Table(name, cleandoc(create), sources[name], indexes=INDEXES[name])
        for name, create in CREATE_TABLE.items()
    )
    rows = sum(row_count(name, scale) for name in CREATE_TABLE)
    name = f"imdb-synthetic-v{GENERATOR_VERSION}-sf{scale:.15g}"
    return _data_set(name, tables, rows, _SYNTHETIC_CSV_SHARE)


def _data_set(name: str, tables: tuple[Table, ...], rows: int, csv_share: float) -> DataSet:
    return DataSet(
        name=name,
        schema="imdb",
        tables=tables,
        indexes=(),
        disk_bytes=_DISK_BYTES_EMPTY + rows * _DISK_BYTES_PER_ROW,
        csv_share=csv_share,
    )
