"""What EXPLAIN does not show of a query is told from its text and the server's catalogue."""

from __future__ import annotations

import pytest

from llmtune.postgres.data_size import RING_SHARE, data_size
from llmtune.postgres.databases import drop
from llmtune.postgres.hidden_work import calls_any, may_sort_within_aggregates, own_functions


@pytest.fixture(scope="module")
def made(embedded):
    """A database with functions, two tables of one name, and rows that TOAST holds."""
    with embedded.connect() as control:
        control.execute("CREATE DATABASE hidden")
    with embedded.connect("hidden") as connection:
        connection.execute("CREATE SCHEMA other")
        connection.execute("CREATE TABLE same (a int)")
        connection.execute("CREATE TABLE other.same AS SELECT generate_series(1, 99) AS a")
        connection.execute("CREATE TABLE wide (a text)")
        connection.execute("ALTER TABLE wide ALTER a SET STORAGE EXTERNAL")
        connection.execute(
            "INSERT INTO wide SELECT repeat('x', 1 << 20) FROM generate_series(1, 9)"
        )
        connection.execute(
            "CREATE FUNCTION Report(int) RETURNS bigint LANGUAGE plpgsql AS"
            " $$ BEGIN RETURN (SELECT count(*) FROM wide); END $$"
        )
        yield connection
    with embedded.connect() as control:
        drop(control, "hidden")


def test_own_functions_are_those_with_statements(made):
    assert own_functions(made) == {"report"}


@pytest.mark.parametrize(
    ("sql", "calls"),
    [
        ("SELECT report(3)", True),
        ('SELECT * FROM public."report" (3)', True),
        ("SELECT count(*) FROM report", False),
        ("SELECT myreport(3)", False),
    ],
)
def test_a_call_is_a_name_before_a_parenthesis(sql, calls):
    assert calls_any(sql, frozenset({"report"})) is calls


@pytest.mark.parametrize(
    ("sql", "sorts"),
    [
        ("SELECT count(DISTINCT a) FROM t", True),
        ("SELECT string_agg(a, ',' ORDER BY a) FROM t", True),
        ("SELECT percentile_cont(0.5)\nWITHIN  GROUP (ORDER BY a) FROM t", True),
        ("SELECT a, sum(b) FROM t GROUP BY ROLLUP (a)", True),
        ("SELECT a, sum(b) FROM t GROUP BY a ORDER BY a", False),
        ("SELECT count(*) FROM (SELECT a FROM t LIMIT 3) AS few ORDER BY 1", False),
    ],
)
def test_what_aggregates_may_sort_is_in_the_text(sql, sorts):
    assert may_sort_within_aggregates(sql) is sorts


def test_the_size_of_a_database_includes_what_lies_beside_its_tables(made):
    size = data_size(made)
    assert size.database > 9 << 20
    assert size.tables["wide"] < 1 << 20
    assert set(size.tables) == {"wide"}, "of two tables with one name a plan tells neither"


def test_a_table_is_kept_up_to_its_share_of_the_buffers(made):
    size = data_size(made)
    needed = size.tables["wide"] / RING_SHARE
    assert size.kept_in(needed) == {"wide"}
    assert size.kept_in(needed - 1) == frozenset()
    assert not size.stays_in(needed), "with TOAST it is larger"
