"""The Star Schema Benchmark as a workload: one fact table, four dimensions, 13 queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from inspect import cleandoc

from workloads.options import WorkloadOptions, check_scale
from workloads.ssb.dimensions import customer_rows, date_rows, part_rows, supplier_rows
from workloads.ssb.lineorder import lineorder_rows
from workloads.ssb.parameters import NAMES, drawn_parameters, paper_parameters
from workloads.ssb.schema import CREATE_TABLE, FOREIGN_KEYS, INDEXES
from workloads.workload import DataSet, Query, Table, Workload

SCALE = 0.1
"""When none is given."""

_DISK_BYTES_PER_SCALE = 1_500_000_000
_DISK_BYTES_EMPTY = 16 << 20


@dataclass(frozen=True, slots=True)
class GeneratedRows:
    """One table's CSV rows at one scale factor, as `CsvSource`."""

    table: str
    scale: float

    def __call__(self) -> Iterator[bytes]:
        """The rows in blocks of whole lines.

        Raises:
            LoadError: TPC-H's generator is not installed or failed.
        """
        return _ROWS[self.table](self.scale)


_ROWS: dict[str, Callable[[float], Iterator[bytes]]] = {
    "lineorder": lineorder_rows,
    "customer": customer_rows,
    "part": part_rows,
    "supplier": supplier_rows,
    "date": lambda _scale: date_rows(),
}


def ssb_workload(options: WorkloadOptions) -> Workload:
    """The 13 queries at one scale factor; 1 is six million rows of `lineorder`.

    Without a seed the parameters are the paper's.

    Raises:
        UsageError: the scale is not a positive finite number.
    """
    data_set = ssb_data_set(SCALE if options.scale is None else options.scale)
    seed = options.seed
    return Workload(
        name=data_set.name if seed is None else f"{data_set.name}-seed{seed}",
        queries=tuple(_query(name, seed) for name in NAMES),
        data_set=data_set,
    )


def ssb_data_set(scale: float) -> DataSet:
    """The five tables at scale factor `scale`.

    Raises:
        UsageError: `scale` is not a positive finite number.
    """
    return DataSet(
        name=f"ssb-sf{check_scale(scale):.15g}",
        schema="ssb",
        tables=tuple(
            Table(name, cleandoc(create), GeneratedRows(name, scale), indexes=INDEXES[name])
            for name, create in CREATE_TABLE.items()
        ),
        indexes=FOREIGN_KEYS,
        disk_bytes=_DISK_BYTES_EMPTY + int(_DISK_BYTES_PER_SCALE * scale),
    )


def _query(name: str, seed: int | None) -> Query:
    parameters = paper_parameters(name) if seed is None else drawn_parameters(name, seed)
    flight = name.partition(".")[0]  # its queries differ in their filters alone
    return Query(name, template_text(name).format_map(parameters), f"ssb-{flight}")


@cache
def template_text(name: str) -> str:
    """The template as it stands in `sql/`, with placeholders such as `{year}`."""
    return (files("workloads.ssb") / "sql" / f"{name}.sql").read_text("utf-8").strip()
