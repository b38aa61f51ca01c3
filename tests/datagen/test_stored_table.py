"""Stored tables: what comes back, what damage is told, and what older files are."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datagen.stored_table import DIGEST_KEY, read_table, write_table

TABLE = pa.table(
    {
        "name": ["a", None, "é"],
        "count": [1, 2, 3],
        "seconds": pa.array([0.5, None, float("nan")], pa.float64()),
        "vector": pa.array([[1.0, 0.1], [], None], pa.list_(pa.float32())),
    }
).replace_schema_metadata({b"about": b"three"})


def same(one: pa.Table, other: pa.Table) -> bool:
    """Whether both say the same; a NaN is one."""
    texts = [repr(table.to_pylist()) for table in (one, other)]
    return texts[0] == texts[1] and one.schema.metadata == other.schema.metadata


def test_a_table_comes_back_as_it_was_written(tmp_path):
    write_table(tmp_path / "t.parquet", TABLE)
    assert same(read_table(tmp_path / "t.parquet"), TABLE)


def test_an_older_file_is_read_as_it_is(tmp_path):
    pq.write_table(TABLE, tmp_path / "t.parquet", compression="zstd")
    assert same(read_table(tmp_path / "t.parquet"), TABLE)


def test_any_flipped_byte_is_told_or_does_no_harm(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path, TABLE)
    whole, rng, told = path.read_bytes(), np.random.default_rng(1), 0
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            found = read_table(path)
            about = found.schema.metadata[b"about"]  # as whoever reads a table looks for its own
        except (pa.ArrowException, OSError, KeyError, TypeError, ValueError):
            told += 1
        else:
            assert same(found.replace_schema_metadata({b"about": about}), TABLE), place
    assert told > len(whole) / 14


@pytest.mark.parametrize(
    "other",
    [
        TABLE.set_column(2, "seconds", pa.array([0.5, None, 1.0])),
        TABLE.set_column(1, "count", pa.array([1, 2, 4])),
        TABLE.rename_columns(["name", "count", "second", "vector"]),
        TABLE.replace_schema_metadata({b"about": b"four"}),
        TABLE.slice(1),
    ],
)
def test_a_table_with_another_one_s_digest_is_told(tmp_path, other):
    path = tmp_path / "t.parquet"
    write_table(path, TABLE)
    digest = pq.read_schema(path).metadata[DIGEST_KEY]
    metadata = {**(other.schema.metadata or TABLE.schema.metadata), DIGEST_KEY: digest}
    pq.write_table(other.replace_schema_metadata(metadata), path)
    with pytest.raises(ValueError, match="not what was written"):
        read_table(path)
