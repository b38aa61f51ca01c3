"""Drawn variants are new, valid and the same for the same seed."""
# ruff: noqa: S311 - draws for tests, not secrets

from collections.abc import Iterator
from inspect import cleandoc
from random import Random

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtune.postgres.target import Connection, Target
from workloads.job.catalogue import load_families
from workloads.job.graph import Comparison, Family, Variant
from workloads.job.render import render
from workloads.job.schema import CREATE_TABLE, INDEXES
from workloads.job.variants import draw_variant
from workloads.job.workload import drawn_queries, job_queries

FAMILIES = load_families()
families = st.sampled_from(FAMILIES)
seeds = st.integers(0, 2**32)


def shape(family: Family, variant: Variant) -> tuple[set[str], set[str]]:
    """The columns that a variant filters, and its outputs."""
    filtered = {
        ".".join(comparison.column) for part in variant.filters for comparison in part.comparisons()
    }
    return filtered, {".".join(column) for column in variant.outputs}


@settings(deadline=None)
@given(family=families, seed=seeds)
def test_a_seed_draws_one_variant(family: Family, seed: int) -> None:
    drawn = draw_variant(family, Random(seed), 7)
    assert drawn == draw_variant(family, Random(seed), 7)
    assert drawn.id == f"{family.number}.7"


@settings(deadline=None)
@given(family=families, seed=seeds)
def test_a_drawn_variant_is_a_new_one_of_its_family(family: Family, seed: int) -> None:
    drawn = draw_variant(family, Random(seed))
    assert all(set(drawn.filters) != set(variant.filters) for variant in family.variants)
    assert drawn.outputs in {variant.outputs for variant in family.variants}
    known = set().union(*(shape(family, variant)[0] for variant in family.variants))
    assert shape(family, drawn)[0] <= known
    assert render(family, drawn).startswith("SELECT MIN(")


@settings(deadline=None)
@given(family=families, seed=seeds)
def test_no_drawn_filter_contradicts_another(family: Family, seed: int) -> None:
    comparisons = [
        comparison
        for part in draw_variant(family, Random(seed)).filters
        for comparison in part.comparisons()
    ]
    refused = {(c.column, c.values) for c in comparisons if c.operator == "NOT LIKE"}
    wanted = {(c.column, c.values) for c in comparisons if c.operator == "LIKE"}
    assert not refused & wanted
    assert all(len(set(c.values)) == len(c.values) for c in comparisons if c.operator == "IN")
    assert all(c.values[0] <= c.values[1] for c in comparisons if c.operator == "BETWEEN")  # type: ignore[operator]


@settings(deadline=None)
@given(family=families, seed=seeds)
def test_an_info_keeps_the_type_that_it_has_in_the_benchmark(family: Family, seed: int) -> None:
    drawn = draw_variant(family, Random(seed))
    for part in drawn.filters:
        if isinstance(part, Comparison) and family.table(part.alias) == "info_type":
            assert part in {known for variant in family.variants for known in variant.filters}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: str(family.number))
def test_every_family_has_many_variants_to_draw(family: Family) -> None:
    rng = Random(3)
    drawn = {render(family, draw_variant(family, rng)) for _ in range(60)}
    assert len(drawn) >= 20


def test_a_seed_draws_as_many_queries_as_are_published() -> None:
    published, drawn = job_queries(), drawn_queries(5)
    assert [query.template for query in drawn] == [query.template for query in published]
    assert len({query.sql for query in (*published, *drawn)}) == 226
    assert {query.id for query in published}.isdisjoint(query.id for query in drawn)
    assert drawn == drawn_queries(5) != drawn_queries(6)


def test_text_with_quotes_stays_text() -> None:
    family = FAMILIES[1]
    odd = Comparison(family.variants[0].outputs[0], "=", ("O'Brien's",))
    sql = render(family, Variant("2.1", (odd,), family.variants[0].outputs))
    literal = sqlglot.parse_one(sql, read="postgres").find(sqlglot.exp.Literal)
    assert literal is not None
    assert literal.this == "O'Brien's"


@pytest.fixture(scope="module")
def empty_imdb(embedded: Target) -> Iterator[Connection]:
    """A connection to the benchmark's schema without a row."""
    with embedded.connect() as control:
        control.execute("CREATE DATABASE empty_imdb")
    with embedded.connect("empty_imdb") as connection:
        indexes = [one for table in INDEXES.values() for one in table]
        statements = [*map(cleandoc, CREATE_TABLE.values()), *indexes]
        connection.execute(";\n".join(statements).encode())
        yield connection


def test_postgresql_accepts_published_and_drawn_queries(empty_imdb: Connection) -> None:
    # The planner's search for the best order is not what is tested, and takes most of the time.
    empty_imdb.execute("SET geqo_threshold = 2")
    empty_imdb.execute("SET geqo_effort = 1")
    plans = [
        empty_imdb.execute(f"EXPLAIN {query.sql}".encode()).fetchone()
        for query in (*job_queries(), *drawn_queries(1), *drawn_queries(2))
    ]
    assert len(plans) == 3 * 113
    assert all(plan is not None and "Aggregate" in plan[0] for plan in plans)
