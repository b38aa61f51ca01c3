"""Tables on disk that tell damage: Parquet with a digest of what was written.

Parquet checks nothing by itself, and its pages' checksums leave out what lies between
pages: a flipped byte may make another number of a measured one.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

DIGEST_KEY = b"llmtune.sha256"


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table with its metadata, for `read_table`.

    Raises:
        OSError: it cannot be written.
    """
    metadata = {**(table.schema.metadata or {}), DIGEST_KEY: _digest(table)}
    pq.write_table(
        table.replace_schema_metadata(metadata),
        path,
        compression="zstd",
        write_page_checksum=True,
    )


def read_table(path: Path) -> pa.Table:
    """The table as it was written; one from before there were digests as it is.

    Raises:
        OSError, pa.ArrowException: it cannot be read, or is no Parquet file.
        TypeError, ValueError: it holds something else than was written.
    """
    # A damaged page is refused before it is decoded.
    table = pq.read_table(path, page_checksum_verification=True)
    metadata = dict(table.schema.metadata or {})
    written = metadata.pop(DIGEST_KEY, None)
    table = table.replace_schema_metadata(metadata)
    if written is not None and written != _digest(table):
        raise ValueError("its content is not what was written")
    return table


def _digest(table: pa.Table) -> bytes:
    """SHA-256 (hex) of what the table says: metadata, names and values."""
    digest = hashlib.sha256(repr(sorted((table.schema.metadata or {}).items())).encode())
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(name.encode() + _content(column))
    return digest.hexdigest().encode()


def _content(column: pa.ChunkedArray) -> bytes:
    if pa.types.is_floating(column.type):  # a measurement has a million of them
        return bytes(column.to_numpy().tobytes())
    return json.dumps(column.to_pylist()).encode()
