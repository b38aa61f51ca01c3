"""TPC-H's CSV blocks as columns, and columns as CSV blocks again."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import cache
from itertools import islice
from typing import Any

from workloads.tpch.generator import Generator

FIRST_DAY, LAST_DAY = date(1992, 1, 1), date(1998, 12, 31)
"""Of the date dimension; TPC-H's dates lie between them."""

_BLOCKS_AT_ONCE = 8
"""Of the generator's, each 256 kB: fewer and a block's fixed cost shows, more and the cache
is too small."""


def tpch_tables(name: str, scale: float, columns: Mapping[str, str | None]) -> Iterator[Any]:
    """TPC-H's table `name` as Arrow tables of a few thousand rows.

    Raises:
        LoadError: the generator is not installed or failed.
    """
    generator = Generator(scale)
    try:
        blocks = generator.rows(name)
        while several := b"".join(islice(blocks, _BLOCKS_AT_ONCE)):
            yield read_rows(several, columns)
    finally:
        generator.stop()


def read_rows(block: bytes, columns: Mapping[str, str | None]) -> Any:
    """Whole lines of CSV as an Arrow table.

    Args:
        columns: all names in the file's order, with the Arrow type of those to keep.
    """
    import pyarrow as pa
    from pyarrow import csv

    kept = {name: pa.type_for_alias(kind) for name, kind in columns.items() if kind}
    table = csv.read_csv(
        io.BytesIO(block),
        csv.ReadOptions(use_threads=False, block_size=len(block), column_names=list(columns)),
        convert_options=csv.ConvertOptions(column_types=kept, include_columns=list(kept)),
    )
    return table.combine_chunks()


def as_csv(columns: Mapping[str, Any]) -> bytes:
    """Columns as CSV without a header; texts must need no quotes."""
    import pyarrow as pa
    from pyarrow import csv

    out = io.BytesIO()
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    csv.write_csv(pa.table(dict(columns)), out, options)
    return out.getvalue()


def cents(column: Any) -> Any:
    """An amount with two decimals as a whole number of hundredths, NumPy int64."""
    return (column.to_numpy() * 100).round().astype("int64")


def folded(column: Any, count: int) -> Any:
    """Keys 1, 2, ... with every `count` neighbours made one key: 1, 1, ..., 2 ..."""
    return (column.to_numpy() - 1) // count + 1


def datekeys(column: Any) -> Any:
    """Dates as integers such as 19970531."""
    return _key_of_day()[column.to_numpy().astype("datetime64[D]").astype("int64") - _epoch_day()]


def days() -> list[date]:
    """Every day from the first to the last."""
    count = (LAST_DAY - FIRST_DAY).days + 1
    return [FIRST_DAY + timedelta(number) for number in range(count)]


@cache
def _key_of_day() -> Any:
    import numpy as np

    return np.array([int(day.strftime("%Y%m%d")) for day in days()], dtype="int32")


def _epoch_day() -> int:
    return (FIRST_DAY - date(1970, 1, 1)).days
