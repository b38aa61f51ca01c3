"""Every query of the Join Order Benchmark means what the golden facts state, and no more."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.normalize import normalize
from sqlglot.optimizer.simplify import simplify

from workloads.job import job_queries
from workloads.job.catalogue import load_families
from workloads.job.graph import Column, Combination, Comparison
from workloads.job.schema import REFERENCES

GOLDEN = Path(__file__).parent / "golden"
FACTS: dict[str, Any] = json.loads((GOLDEN / "job_queries.json").read_text("utf-8"))
QUERIES = {query.id: query for query in job_queries()}


class Meaning(NamedTuple):
    """A query without whatever does not change its answer: order, sides, aliases' names."""

    relations: frozenset[tuple[str, str]]
    joins: frozenset[frozenset[str]]
    filters: frozenset[str]
    outputs: tuple[tuple[str, int], ...]


def meaning(sql: str) -> Meaning:
    """What a query of MIN()s over inner joins asks for."""
    tree = sqlglot.parse_one(sql, read="postgres")
    assert isinstance(tree, exp.Select)
    assert set(present(tree)) <= {"expressions", "from_", "joins", "where", "kind"}
    names = rename_lone_aliases(tree)
    condition = tree.find(exp.Where)
    assert condition is not None
    conjuncts = list(condition.this.flatten())
    joins = [part for part in conjuncts if is_join(part)]
    return Meaning(
        relations=frozenset(names.items()),
        joins=frozenset(frozenset({edge.left.sql(), edge.right.sql()}) for edge in joins),
        filters=frozenset(canonical(part) for part in conjuncts if not is_join(part)),
        outputs=tuple(sorted(Counter(map(output, tree.expressions)).items())),
    )


def present(tree: exp.Expression) -> list[str]:
    return [name for name, value in tree.args.items() if value]


def rename_lone_aliases(tree: exp.Select) -> dict[str, str]:
    """Call relations by their tables where these occur once; alias to table."""
    tables = list(tree.find_all(exp.Table))
    counts = Counter(table.name for table in tables)
    names = {t.alias: t.name if counts[t.name] == 1 else t.alias for t in tables}
    assert len(names) == len(tables)
    for column in tree.find_all(exp.Column):
        column.set("table", exp.to_identifier(names[column.table]))
    return {names[table.alias]: table.name for table in tables}


def is_join(part: exp.Expression) -> bool:
    return isinstance(part, exp.EQ) and isinstance(part.right, exp.Column)


def canonical(part: exp.Expression) -> str:
    """The filter in conjunctive normal form, its alternatives and lists sorted."""
    tree = normalize(simplify(part.copy()))
    for found in tree.find_all(exp.In):
        found.set("expressions", sorted(found.expressions, key=lambda value: value.sql()))
    clauses = tree.flatten() if isinstance(tree, exp.And) else [tree]
    return " AND ".join(sorted(alternatives(clause) for clause in clauses))


def alternatives(clause: exp.Expression) -> str:
    clause = clause.unnest()
    parts = clause.flatten() if isinstance(clause, exp.Or) else [clause]
    return " OR ".join(sorted(part.unnest().sql(dialect="postgres") for part in parts))


def output(item: exp.Expression) -> str:
    assert isinstance(item, exp.Min)
    assert isinstance(item.this, exp.Column)
    return item.this.sql()


def reference_sql(fact: dict[str, Any]) -> str:
    """The facts of one query, simply strung together."""
    relations = ", ".join(f"{table} {alias}" for alias, table in fact["relations"].items())
    joins = [f"{left} = {right}" for left, right in fact["joins"]]
    conditions = " AND ".join([*joins, *fact["filters"]])
    return f"SELECT {', '.join(fact['outputs'])} FROM {relations} WHERE {conditions}"


def test_the_catalogue_has_the_113_queries_of_33_families() -> None:
    assert list(QUERIES) == list(FACTS)
    assert len(QUERIES) == 113
    assert len({query.template for query in QUERIES.values()}) == 33
    assert QUERIES["17f"].template == "job-17"


@pytest.mark.parametrize("query_id", FACTS)
def test_a_query_means_what_the_facts_state(query_id: str) -> None:
    assert meaning(QUERIES[query_id].sql) == meaning(reference_sql(FACTS[query_id]))


@pytest.mark.parametrize(
    "change",
    [
        ("'sequel'", "'prequel'"),
        ("2000", "2001"),
        ("LIKE '%follow%'", "NOT LIKE '%follow%'"),
        ("cn.name LIKE '%Warner%'", "cn.name LIKE '%Bros%'"),
        ("mc.note IS NULL", "mc.note IS NOT NULL"),
        ("MIN(lt.link)", "MIN(t.id)"),
        ("mk.movie_id = mc.movie_id", "mk.movie_id = t.id"),
        ("title AS t", "aka_title AS t"),
    ],
)
def test_any_change_of_meaning_is_seen(change: tuple[str, str]) -> None:
    sql = QUERIES["11a"].sql
    assert change[0] in sql
    assert meaning(sql.replace(*change)) != meaning(sql)


def test_order_sides_and_names_are_no_change_of_meaning() -> None:
    left = "SELECT MIN(t.title) FROM title t, keyword k WHERE t.id = k.id AND k.id IN (1, 2)"
    right = "SELECT MIN(a.title) FROM keyword b, title a WHERE b.id IN (2, 1) AND b.id = a.id"
    assert meaning(left) == meaning(right)


def test_joins_follow_the_references_of_the_schema() -> None:
    joined = {
        ((family.table(left.alias), left.name), (family.table(right.alias), right.name))
        for family in load_families()
        for left, right in family.edges()
        if "id" in (left.name, right.name)
    }
    known = {**REFERENCES, ("complete_cast", "subject_id"): "comp_cast_type"}
    known["complete_cast", "status_id"] = "comp_cast_type"
    for (table, key), reference in joined:
        assert key == "id"
        assert known[reference] == table


@pytest.mark.parametrize(
    ("operator", "values"), [("=", ()), ("IN", ()), ("BETWEEN", (1,)), ("ILIKE", ("a",))]
)
def test_a_comparison_that_cannot_be_is_refused(
    operator: str, values: tuple[str | int, ...]
) -> None:
    with pytest.raises(ValueError, match=operator):
        Comparison(Column("t", "id"), operator, values)


def test_a_combination_filters_one_relation() -> None:
    parts = tuple(Comparison(Column(alias, "id"), "=", (1,)) for alias in "ab")
    with pytest.raises(ValueError, match="one relation"):
        Combination("OR", parts)
