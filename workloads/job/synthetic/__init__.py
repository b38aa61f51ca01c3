"""A synthetic IMDb for the Join Order Benchmark, for those who do not have the real files.

It has the real tables in their real proportions, skewed fan-outs, and columns that
depend on one another across tables, so that a planner that assumes independence errs
as it does on the real data. All titles, names and facts are invented, but for the few
words that the benchmark's filters ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workloads.job.schema import ROW_COUNTS
from workloads.job.synthetic.counts import (
    GENERATOR_VERSION,
    SYNTHETIC_SCALE,
    check_scale,
    row_count,
)
from workloads.workload import CsvSource

__all__ = ["GENERATOR_VERSION", "SYNTHETIC_SCALE", "row_count", "synthetic_rows"]


@dataclass(frozen=True, slots=True)
class _Rows:
    """One table's rows; the generator and its libraries are loaded when they are read."""

    table: str
    scale: float
    seed: int

    def __call__(self) -> Iterator[bytes]:
        from workloads.job.synthetic.tables import table_rows

        return table_rows(self.table, self.scale, self.seed)


def synthetic_rows(scale: float, seed: int) -> dict[str, CsvSource]:
    """Every table's rows as CSV in blocks of whole lines: no header, an empty field is NULL.

    The same scale and seed give the same bytes.

    Raises:
        UsageError: the scale factor is not one.
    """
    check_scale(scale)
    return {table: _Rows(table, scale, seed) for table in ROW_COUNTS}
