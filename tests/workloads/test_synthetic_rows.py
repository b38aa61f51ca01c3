"""The synthetic IMDb's bytes: the right number of rows, the same every time, in small blocks."""

import csv
from hashlib import sha256
from io import StringIO

import pytest

from llmtune.errors import UnknownName, UsageError
from workloads.job.schema import CREATE_TABLE, ROW_COUNTS
from workloads.job.synthetic import GENERATOR_VERSION, row_count, synthetic_rows
from workloads.job.synthetic.counts import FEWEST_ROWS, LARGEST_SCALE

SCALE = 0.001
LARGEST_BLOCK = 4 << 20


def content(table: str, scale: float = SCALE, seed: int = 1) -> bytes:
    return b"".join(synthetic_rows(scale, seed)[table]())


@pytest.mark.parametrize("scale", [1e-6, SCALE])
def test_every_table_has_its_rows_columns_and_ids(scale: float) -> None:
    for table, source in synthetic_rows(scale, 1).items():
        rows = list(csv.reader(StringIO(b"".join(source()).decode())))
        assert [int(row[0]) for row in rows] == list(range(1, row_count(table, scale) + 1))
        columns = CREATE_TABLE[table].count("\n") - 2
        assert {len(row) for row in rows} == {columns}


def test_the_tables_keep_their_proportions() -> None:
    assert {table: row_count(table, 1) for table in ROW_COUNTS} == ROW_COUNTS
    assert row_count("cast_info", 0.01) == round(ROW_COUNTS["cast_info"] / 100)
    assert row_count("info_type", 1e-6) == 113
    assert row_count("title", 1e-6) == FEWEST_ROWS


@pytest.mark.parametrize("table", sorted(ROW_COUNTS))
def test_a_seed_gives_the_same_bytes_each_time(table: str) -> None:
    assert content(table) == content(table)


def test_the_bytes_are_the_same_on_every_machine() -> None:
    digest = sha256()
    for table in sorted(ROW_COUNTS):
        digest.update(content(table))
    assert (GENERATOR_VERSION, digest.hexdigest()) == (
        1,
        "a2198851f6cec9549b7caf6e22df0fe91ff72591b14cf6cbd96bd5af36173f23",
    )


def test_another_seed_gives_other_rows() -> None:
    assert content("cast_info", seed=1) != content("cast_info", seed=2)


def test_blocks_are_small_and_end_with_a_line() -> None:
    for source in synthetic_rows(0.005, 1).values():
        for block in source():
            assert block.endswith(b"\n")
            assert len(block) < LARGEST_BLOCK


@pytest.mark.parametrize("table", ["title", "name", "char_name", "company_name", "keyword"])
def test_the_largest_scale_starts_like_a_small_one(table: str) -> None:
    source = synthetic_rows(LARGEST_SCALE, 1)[table]()
    blocks = [next(source) for _ in range(3)]
    assert all(len(block) < LARGEST_BLOCK for block in blocks)


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf"), LARGEST_SCALE + 1])
def test_a_scale_that_is_none_is_refused(scale: float) -> None:
    with pytest.raises(UsageError, match="scale factor must be above 0"):
        synthetic_rows(scale, 1)
    with pytest.raises(UsageError, match="scale factor must be above 0"):
        row_count("title", scale)


def test_an_unknown_table_is_named() -> None:
    with pytest.raises(UnknownName, match="'titles'; did you mean 'title'"):
        row_count("titles", 1)
