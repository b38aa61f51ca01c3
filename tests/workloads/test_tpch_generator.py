"""Rows arrive complete, in any order of reading, and no process is left behind."""

import psutil
import pytest

from llmtune.errors import LoadError
from workloads.tpch.generator import TABLES, Generator

ROWS = {
    "region": 5,
    "nation": 25,
    "supplier": 10,
    "customer": 150,
    "part": 200,
    "partsupp": 800,
    "orders": 1500,
    "lineitem": 6005,
}
"""Rows at scale factor 0.001."""


def count(generator: Generator, table: str) -> int:
    blocks = list(generator.rows(table))
    assert all(block.endswith(b"\n") and block[:1].isdigit() for block in blocks)
    return sum(block.count(b"\n") for block in blocks)


def test_tables_read_in_their_order() -> None:
    generator = Generator(0.001)
    assert {table: count(generator, table) for table in TABLES} == ROWS


def test_tables_read_in_another_order_and_again() -> None:
    generator = Generator(0.001)
    assert [count(generator, table) for table in ("part", "nation", "nation")] == [200, 25, 25]


def processes() -> set[int]:
    return {
        child.pid for child in psutil.Process().children() if child.name().startswith("tpchgen")
    }


@pytest.mark.parametrize("scale", [0.001, 0.05])
def test_one_process_serves_all_tables_in_their_order(scale: float) -> None:
    generator, seen = Generator(scale), set()
    for table in TABLES:
        rows = generator.rows(table)
        next(rows)
        seen |= processes()
        assert all(rows)
    assert len(seen) == 1
    assert not processes() & seen


def test_stopping_in_the_middle_leaves_the_next_read_whole() -> None:
    generator = Generator(0.05)
    rows = generator.rows("lineitem")
    next(rows)
    rows.close()
    assert not processes()
    assert count(generator, "region") == 5


def test_a_scale_that_the_generator_refuses_is_a_load_error() -> None:
    with pytest.raises(LoadError, match="tpchgen-cli failed"):
        list(Generator(-1.0).rows("region"))
