"""Columns of a block and their CSV bytes, through Arrow's writer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from csv import writer
from io import StringIO
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from workloads.job.synthetic.draws import Ints, Words

if TYPE_CHECKING:
    import pyarrow as pa

Column: TypeAlias = "Ints | pa.Array"

BLOCK_ROWS = 1 << 14
"""Rows of one block of bytes: a megabyte or two of the widest table."""

_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint16)


def texts(vocabulary: Sequence[str]) -> pa.Array:
    """A vocabulary that `take` draws from."""
    import pyarrow

    return pyarrow.array(vocabulary, pyarrow.string())


def take(vocabulary: pa.Array, index: Ints, null: Any = None) -> pa.Array:
    """The texts at `index`; NULL where the mask `null` is true."""
    import pyarrow

    return vocabulary.take(pyarrow.array(index, mask=null))


def join(*parts: pa.Array) -> pa.Array:
    """The texts of each row, one after another; NULL where any is."""
    import pyarrow.compute

    return pyarrow.compute.binary_join_element_wise(*parts, "")


def optional(numbers: Ints) -> pa.Array:
    """Numbers that start from 1; a 0 becomes NULL."""
    import pyarrow

    return pyarrow.array(numbers, mask=numbers == 0)


def nulls(rows: int) -> pa.Array:
    """A column of NULL."""
    import pyarrow

    return pyarrow.nulls(rows)


def digests(high: Words, low: Words) -> pa.Array:
    """128 bits a row as 32 hexadecimal digits: what an MD5 sum looks like."""
    import pyarrow

    octets = np.stack([high, low], axis=1).astype(">u8").view(np.uint8)
    digits = np.ascontiguousarray(_HEX[octets])
    offsets = np.arange(len(high) + 1, dtype=np.int32) * 32
    buffers = [None, pyarrow.py_buffer(offsets), pyarrow.py_buffer(digits)]
    return pyarrow.Array.from_buffers(pyarrow.string(), len(high), buffers)


def csv_blocks(columns: Sequence[Column]) -> Iterator[bytes]:
    """The rows in blocks of whole lines: texts quoted, NULL empty."""
    import pyarrow
    import pyarrow.csv

    batch = pyarrow.record_batch(list(columns), names=[str(n) for n in range(len(columns))])
    options = pyarrow.csv.WriteOptions(include_header=False, batch_size=BLOCK_ROWS)
    for start in range(0, batch.num_rows, BLOCK_ROWS):
        sink = pyarrow.BufferOutputStream()
        pyarrow.csv.write_csv(batch.slice(start, BLOCK_ROWS), sink, options)
        yield sink.getvalue().to_pybytes()


def csv_rows(rows: Sequence[Sequence[object]]) -> bytes:
    """A few rows in the same form; None is NULL."""
    lines = StringIO()
    writer(lines, lineterminator="\n").writerows(rows)
    return lines.getvalue().encode()
