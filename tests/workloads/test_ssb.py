"""The Star Schema Benchmark: rows follow from TPC-H's, results equal an independent engine's."""

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from llmtune.errors import UsageError
from llmtune.postgres.load import ensure_loaded
from llmtune.postgres.target import Connection, Target
from workloads.options import WorkloadOptions
from workloads.ssb import ssb_workload
from workloads.ssb.lineorder import lineorder_rows
from workloads.ssb.parameters import NAMES, drawn_parameters, paper_parameters
from workloads.ssb.sizes import part_count
from workloads.ssb.workload import template_text

SCALE = 0.01
SEEDS = (None, 1, 2, 3, 4)


@pytest.fixture(scope="module")
def postgres(embedded: Target) -> Iterator[Connection]:
    database = ensure_loaded(embedded, ssb_workload(WorkloadOptions(SCALE)).data_set)
    with embedded.connect(database) as connection:
        yield connection


@pytest.fixture(scope="module")
def star(duck: duckdb.DuckDBPyConnection, tmp_path_factory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same rows in a schema of their own, beside TPC-H's at the same scale."""
    folder: Path = tmp_path_factory.mktemp("ssb")
    connection = duck.cursor()
    connection.execute("CREATE SCHEMA ssb; SET search_path = 'ssb,main'")
    for table in ssb_workload(WorkloadOptions(SCALE)).data_set.tables:
        file = folder / f"{table.name}.csv"
        file.write_bytes(b"".join(table.rows()))
        connection.execute(table.create.replace("CREATE TABLE ", "CREATE TABLE ssb."))
        connection.execute(f"COPY ssb.{table.name} FROM '{file}' (FORMAT csv, HEADER false)")
    yield connection
    connection.execute("DROP SCHEMA ssb CASCADE")
    connection.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_results_equal_duckdbs(
    seed: int | None, postgres: Connection, star: duckdb.DuckDBPyConnection
) -> None:
    answered = 0
    for query in ssb_workload(WorkloadOptions(SCALE, seed)).queries:
        # Rows of equal revenue may come in either order.
        rows = [
            sorted(map(str, engine.execute(query.sql).fetchall())) for engine in (postgres, star)
        ]
        assert rows[0] == rows[1], query.id
        answered += rows[0] not in ([], ["(None,)"])
    assert answered >= 6  # with 20 suppliers, narrow ones have no rows


def test_lineorder_follows_from_lineitem_and_orders(star: duckdb.DuckDBPyConnection) -> None:
    """Stated once more in SQL, over TPC-H's own rows."""
    derived = """
        SELECT l_orderkey, l_linenumber, (o_custkey - 1) // 5 + 1, l_partkey,
               (l_suppkey - 1) // 5 + 1, strftime(o_orderdate, '%Y%m%d')::int,
               trim(o_orderpriority), o_shippriority, l_quantity::int,
               (l_extendedprice * 100)::int, (o_totalprice * 100)::int, (l_discount * 100)::int,
               ((l_extendedprice * 100)::int * (100 - (l_discount * 100)::int)) // 100,
               (p_retailprice * 100)::int * 6 // 10, (l_tax * 100)::int,
               strftime(l_commitdate, '%Y%m%d')::int, trim(l_shipmode)
        FROM main.lineitem JOIN main.orders ON l_orderkey = o_orderkey
             JOIN main.part ON l_partkey = p_partkey"""
    # Keyed by line, so that neither side can hide a row behind another's twin.
    missing = f"SELECT count(*) FROM ({derived} EXCEPT ALL SELECT * FROM ssb.lineorder)"
    surplus = f"SELECT count(*) FROM (SELECT * FROM ssb.lineorder EXCEPT ALL {derived})"
    assert star.execute(missing).fetchone() == (0,)
    assert star.execute(surplus).fetchone() == (0,)


def test_dimensions_are_whole_and_their_hierarchies_hold(
    star: duckdb.DuckDBPyConnection,
) -> None:
    def one(sql: str) -> tuple[object, ...]:
        return star.execute(sql).fetchone()

    tables = ("lineorder", "customer", "part", "supplier", "date")
    counts = [one(f"SELECT count(*) FROM ssb.{name}")[0] for name in tables]
    assert counts == [60175, 300, 2000, 20, 2557]
    assert one(
        "SELECT bool_and(p_brand1 LIKE p_category || '%' AND p_category LIKE p_mfgr || '%'),"
        " count(DISTINCT p_category), max(length(p_brand1)), min(length(p_brand1)) FROM ssb.part"
    ) == (True, 25, 9, 9)
    assert one(
        "SELECT bool_and(length(c_city) = 10 AND"
        " rtrim(left(c_city, 9)) = rtrim(left(c_nation, 9))),"
        " count(DISTINCT right(c_city, 1)) FROM ssb.customer"
    ) == (True, 10)
    assert one(
        "SELECT count(*) FILTER (WHERE d_lastdayinmonthfl), count(*) FILTER (WHERE d_weekdayfl),"
        " min(d_weeknuminyear), max(d_weeknuminyear), count(DISTINCT d_yearmonth) FROM ssb.date"
    ) == (84, 1827, 1, 53, 84)


def test_a_read_that_is_stopped_leaves_the_next_one_whole() -> None:
    rows = lineorder_rows(0.05)
    next(rows)
    rows.close()
    assert sum(block.count(b"\n") for block in lineorder_rows(0.001)) == 6005


@pytest.mark.parametrize(
    ("scale", "parts"), [(0.01, 2000), (1, 200_000), (2, 400_000), (10, 800_000)]
)
def test_parts_grow_with_the_logarithm_of_the_scale(scale: float, parts: int) -> None:
    assert part_count(scale) == parts


def test_every_template_is_filled_completely() -> None:
    for name in NAMES:
        wanted = set(re.findall(r"{(\w+)}", template_text(name)))
        assert set(paper_parameters(name)) == wanted
        assert all(set(drawn_parameters(name, seed)) == wanted for seed in range(50))


def test_names_say_scale_and_seed_and_the_data_do_not_depend_on_the_seed() -> None:
    plain, drawn = (ssb_workload(WorkloadOptions(0.1, seed)) for seed in (None, 7))
    assert (plain.name, drawn.name) == ("ssb-sf0.1", "ssb-sf0.1-seed7")
    assert plain.data_set == drawn.data_set
    assert drawn == ssb_workload(WorkloadOptions(0.1, 7))
    assert drawn.queries != ssb_workload(WorkloadOptions(0.1, 8)).queries


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_not_positive_is_refused(scale: float) -> None:
    with pytest.raises(UsageError, match="scale factor"):
        ssb_workload(WorkloadOptions(scale))
