"""Generated rows as CSV, built a block at a time.

Every column of a table has a fixed width, so a block of rows is one matrix of bytes:
columns are written beside each other, and nothing is formatted row by row. Numbers
keep their leading zeros, which PostgreSQL reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
"""Characters of one column, shape (rows, width)."""

Integers: TypeAlias = NDArray[np.int64]

BLOCK_ROWS = 20_000
SEED = 20_240_411
"""Of all generated data. A user's seed draws requests, so every seed shares one data set."""


class Rng:
    """Random columns of one block of rows."""

    def __init__(self, rows: int, *seed: int) -> None:
        self.rows = rows
        self._generator = np.random.default_rng([SEED, *seed])

    def letters(self, width: int) -> Bytes:
        """Random letters from a to p: four random bits each."""
        drawn = np.frombuffer(self._generator.bytes(self.rows * width), np.uint8)
        return ((drawn & 15) + ord("a")).astype(np.uint8).reshape(self.rows, width)

    def integers(self, low: int, high: int) -> Integers:
        """Uniform from `low` to `high`, both included."""
        return self._generator.integers(low, high + 1, self.rows)


Columns: TypeAlias = Callable[[Integers, Rng], list["Bytes | bytes"]]
"""The columns of the rows with these numbers (from 0); `bytes` are the same in each row."""


def digits(values: Integers, width: int) -> Bytes:
    """Whole numbers from 0 on, with leading zeros."""
    places = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (values[:, None] // places % 10 + ord("0")).astype(np.uint8)


def decimals(values: Integers, whole: int, fraction: int = 2) -> Bytes:
    """Whole numbers of the smallest unit, such as cents, with their decimal point."""
    text = digits(values, whole + fraction)
    return joined([text[:, :whole], b".", text[:, whole:]])


def joined(columns: list[Bytes | bytes]) -> Bytes:
    """Columns side by side as one, with nothing between them."""
    rows = next(len(column) for column in columns if not isinstance(column, bytes))
    return np.hstack([_matrix(column, rows) for column in columns])


@dataclass(frozen=True, slots=True)
class GeneratedRows:
    """One table's rows as `CsvSource`; the same bytes on each call.

    Attributes:
        table: the table's number in its data set; tables draw different numbers.
    """

    table: int
    count: int
    columns: Columns

    def __call__(self) -> Iterator[bytes]:
        """Blocks of whole lines."""
        for start in range(0, self.count, BLOCK_ROWS):
            numbers = np.arange(start, min(start + BLOCK_ROWS, self.count))
            yield _lines(self.columns(numbers, Rng(len(numbers), self.table, start)), len(numbers))


def no_rows() -> Iterator[bytes]:
    """The `CsvSource` of a table that begins empty."""
    yield from ()


def _lines(columns: list[Bytes | bytes], rows: int) -> bytes:
    parts: list[Bytes] = []
    for column in columns:
        parts += [_matrix(column, rows), _matrix(b",", rows)]
    parts[-1] = _matrix(b"\n", rows)
    return np.hstack(parts).tobytes()


def _matrix(column: Bytes | bytes, rows: int) -> Bytes:
    if isinstance(column, bytes):
        return np.broadcast_to(np.frombuffer(column, np.uint8), (rows, len(column)))
    return column
