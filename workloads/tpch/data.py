"""TPC-H's data set at any scale factor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from inspect import cleandoc

from workloads.options import check_scale
from workloads.tpch.generator import TABLES, Generator
from workloads.tpch.schema import CREATE_TABLE, FOREIGN_KEYS, INDEXES
from workloads.workload import DataSet, Table

_DISK_BYTES_PER_SCALE = 1_850_000_000
_DISK_BYTES_EMPTY = 16 << 20


@dataclass(frozen=True, slots=True)
class GeneratedRows:
    """One table's CSV rows at one scale factor, as `CsvSource`."""

    table: str
    scale: float
    generator: Generator = field(repr=False, compare=False)

    def __call__(self) -> Iterator[bytes]:
        """The rows in blocks of whole lines.

        Raises:
            LoadError: the generator is not installed or failed.
        """
        return self.generator.rows(self.table)


def tpch_data_set(scale: float) -> DataSet:
    """The eight tables at scale factor `scale` (1 is about 1 GB of raw data).

    Raises:
        UsageError: `scale` is not a positive finite number.
    """
    check_scale(scale)
    return DataSet(
        name=f"tpch-sf{scale:.15g}",
        schema="tpch",
        tables=_tables(scale),
        indexes=FOREIGN_KEYS,
        disk_bytes=_DISK_BYTES_EMPTY + int(_DISK_BYTES_PER_SCALE * scale),
    )


def _tables(scale: float) -> tuple[Table, ...]:
    generator = Generator(scale)
    return tuple(
        Table(
            name,
            cleandoc(CREATE_TABLE[name]),
            GeneratedRows(name, scale, generator),
            indexes=INDEXES[name],
        )
        for name in TABLES
    )
