"""Queries synthesized over live databases: they run, join along keys and keep their promises."""
# ruff: noqa: S311 - draws for tests, not secrets

import tracemalloc
from collections.abc import Iterator
from random import Random

import pglast
import pytest
from pglast import ast, enums
from pglast.visitors import Visitor

from llmtune.errors import UsageError
from llmtune.postgres.plans import PlanNode, explain
from llmtune.postgres.synthesis import Limits, Synthesized, read_facts, synthesize
from llmtune.postgres.synthesis.plan_shape import canonical_shape
from llmtune.postgres.synthesis.synthesize import SAME_SHAPE
from llmtune.postgres.target import Connection, Target
from workloads.digest import digest
from workloads.mixes import draw_mix
from workloads.synthesis import SchemaFacts, draw_query
from workloads.synthesis.predicates import can_filter, draw_predicate
from workloads.workload import ExistingDatabase

OWN = ExistingDatabase("own")
COUNT = 40

ODD = """
    CREATE SCHEMA "Shop Front";
    SET search_path = "Shop Front";
    CREATE TYPE mood AS ENUM ('fine', 'so so');
    CREATE DOMAIN amount AS numeric(8, 2);
    CREATE TABLE "Order" (
        "select" integer PRIMARY KEY, "He ""said"" hi" text, "Größe" amount, mood mood,
        at timestamptz, extra jsonb, flags boolean, tags text[]);
    INSERT INTO "Order"
        SELECT n, 'it''s 100% ' || n % 7 || E'\\\\', n % 50,
               (ARRAY['fine', 'so so'])[1 + n % 2]::mood,
               timestamptz '2020-01-01' + n * interval '1 hour', '{}', n % 3 = 0, '{a}'
        FROM generate_series(1, 3000) AS n;
    CREATE TABLE "user's" (id uuid DEFAULT gen_random_uuid(), "FROM" integer REFERENCES "Order",
                           born date, empty text);
    INSERT INTO "user's" ("FROM", born)
        SELECT 1 + n % 3000, date '1950-01-01' + n % 20000 FROM generate_series(1, 9000) AS n;
    CREATE TABLE parts (day date, "Order" integer REFERENCES "Order") PARTITION BY RANGE (day);
    CREATE TABLE parts_old PARTITION OF parts DEFAULT;
    INSERT INTO parts SELECT date '2020-01-01' + n % 90, 1 + n % 3000
        FROM generate_series(1, 2000) AS n;
    CREATE TABLE nothing (id integer PRIMARY KEY);
    RESET search_path;
"""


class _Structure(Visitor):
    """Aliases of a statement, and the pairs of them that an equality joins."""

    def __init__(self) -> None:
        self.aliases: set[str] = set()
        self.pairs: list[tuple[str, str]] = []
        super().__init__()

    def visit_RangeVar(self, _ancestors: object, node: ast.RangeVar) -> None:  # noqa: N802
        self.aliases.add(node.alias.aliasname)

    def visit_A_Expr(self, _ancestors: object, node: ast.A_Expr) -> None:  # noqa: N802
        sides = (node.lexpr, node.rexpr)
        if node.kind == enums.A_Expr_Kind.AEXPR_OP and all(
            isinstance(side, ast.ColumnRef) for side in sides
        ):
            left, right = (side.fields[0].sval for side in sides)
            self.pairs.append((left, right))


def is_connected(statement: str) -> bool:
    """Whether equalities join all relations of the statement: no part is a cross join."""
    found = _Structure()
    found(pglast.parse_sql(statement))
    reached, size = {"t1"}, 0
    while size != len(reached):
        size = len(reached)
        reached |= {one for pair in found.pairs if reached & set(pair) for one in pair}
    return reached == found.aliases


@pytest.fixture(scope="module")
def tpch(embedded: Target, tpch_tiny: str) -> Iterator[Connection]:
    with embedded.connect(tpch_tiny) as connection:
        yield connection


@pytest.fixture(scope="module")
def made(tpch: Connection) -> Synthesized:
    return synthesize(tpch, OWN, COUNT, seed=1)


@pytest.fixture
def scratch(embedded: Target) -> Iterator[Connection]:
    """A database of its own."""
    with embedded.connect() as control:
        control.execute("CREATE DATABASE scratch")
        with embedded.connect("scratch") as connection:
            yield connection
        control.execute("DROP DATABASE scratch")


def test_queries_are_as_many_as_wanted_and_of_different_plans(
    made: Synthesized, tpch: Connection
) -> None:
    queries = made.workload.queries
    shapes = {canonical_shape(explain(tpch, query.sql)) for query in queries}
    assert len(queries) == len(shapes) == len({query.template for query in queries}) == COUNT
    assert set(made.dropped) <= {SAME_SHAPE}


def test_every_relation_is_joined_by_a_key(made: Synthesized, tpch: Connection) -> None:
    facts = read_facts(tpch)
    assert all(is_connected(query.sql) for query in made.workload.queries)
    drawn = [draw_query(Random(seed), facts) for seed in range(500)]
    assert all(is_connected(draft.sql) for draft in drawn)
    assert {len(draft.tree.nodes) for draft in drawn} >= set(range(1, 8))
    assert not is_connected("SELECT FROM a AS t1 JOIN b AS t2 ON t1.x = 3 JOIN c AS t3 ON true")


def test_every_drawn_query_can_be_planned(tpch: Connection) -> None:
    facts = read_facts(tpch)
    for seed in range(300):
        assert explain(tpch, draw_query(Random(seed), facts).sql).total_cost > 0


def test_all_clauses_occur(tpch: Connection) -> None:
    facts = read_facts(tpch)
    text = "\n".join(draw_query(Random(seed), facts).sql for seed in range(300))
    clauses = ("GROUP BY", "HAVING", "ORDER BY", "LIMIT", " IN (", " LIKE ", "DISTINCT", "sum(")
    assert [clause for clause in clauses if clause not in text] == []


def test_shares_are_what_the_data_have(tpch: Connection) -> None:
    """Within a factor of two wherever enough rows match to tell."""
    rng = Random(5)
    checked, off = 0, []
    for relation in read_facts(tpch).relations:
        for column in filter(can_filter, relation.columns):
            for wanted in (0.3, 0.03):
                predicate = draw_predicate(rng, column, "t1", wanted)
                if predicate is None or predicate.share * relation.rows < 50:
                    continue
                count = f"SELECT count(*) FROM {relation.sql} AS t1 WHERE {predicate.sql}"
                share = tpch.execute(count).fetchone()[0] / relation.rows
                checked += 1
                if not 0.5 <= share / predicate.share <= 2:
                    off.append((relation.name, predicate, share))
    assert checked >= 60
    assert len(off) <= checked // 20, off


def test_equal_seeds_give_equal_workloads_and_others_do_not(
    made: Synthesized, tpch: Connection
) -> None:
    again = synthesize(tpch, OWN, 8, seed=1)
    assert again.workload.queries == made.workload.queries[:8]
    assert synthesize(tpch, OWN, 8, seed=2).workload.queries != again.workload.queries
    name = f"synthesized-own-seed1-n8-{digest(again.workload.queries)}"
    assert again.workload.name == name, "as other statistics give other queries"


def test_mixes_are_drawn_from_it(made: Synthesized) -> None:
    sizes = {len(draw_mix(made.workload, Random(seed)).queries) for seed in range(300)}
    assert sizes == set(range(2, 31))


def test_without_foreign_keys_joins_are_inferred(tpch: Connection) -> None:
    known = read_facts(tpch)
    with tpch.transaction(force_rollback=True):
        drop_foreign_keys(tpch)
        facts = read_facts(tpch)
        made = synthesize(tpch, OWN, 10, seed=3)
    single = {join for join in known.joins if len(join.child_columns) == 1}
    assert single <= set(facts.joins)
    # Instead of the pair of columns that refers to partsupp.
    extra = {(join.child_columns, join.parent) for join in set(facts.joins) - single}
    assert extra == {(("l_partkey",), "part"), (("l_suppkey",), "supplier")}
    assert any(len(query.sql.split("JOIN")) > 2 for query in made.workload.queries)


def test_keys_that_all_count_from_one_are_told_apart(scratch: Connection) -> None:
    """As in the IMDb: `movie_id` refers to `title`, whose name says nothing."""
    scratch.execute(
        """
        CREATE TABLE kind_type (id integer PRIMARY KEY, kind text);
        CREATE TABLE title (id integer PRIMARY KEY, kind_id integer, season_nr integer,
                            episode_of_id integer);
        CREATE TABLE movie_keyword (id integer PRIMARY KEY, movie_id integer, keyword_id integer);
        CREATE TABLE movie_link (id integer PRIMARY KEY, movie_id integer,
                                 linked_movie_id integer);
        CREATE TABLE keyword (id integer PRIMARY KEY, keyword text, phonetic_code text);
        INSERT INTO kind_type SELECT n, 'k' || n FROM generate_series(1, 7) AS n;
        INSERT INTO title SELECT n, 1 + n % 7, 1 + n % 5, 1 + n * 7 % 3000
            FROM generate_series(1, 3000) AS n;
        INSERT INTO keyword SELECT n, 'w' || n, 'C' || n % 9 FROM generate_series(1, 500) AS n;
        INSERT INTO movie_keyword SELECT n, 1 + n * 11 % 3000, 1 + n % 500
            FROM generate_series(1, 5000) AS n;
        INSERT INTO movie_link SELECT n, 1 + n * 50, 1 + n * 49
            FROM generate_series(1, 40) AS n;
        ANALYZE"""
    )
    joins = {(j.child, *j.child_columns, j.parent) for j in read_facts(scratch).joins}
    assert joins == {
        ("title", "kind_id", "kind_type"),
        ("title", "episode_of_id", "title"),
        ("movie_keyword", "movie_id", "title"),
        ("movie_keyword", "keyword_id", "keyword"),
        ("movie_link", "movie_id", "title"),
        ("movie_link", "linked_movie_id", "title"),
    }


def test_numbers_that_no_key_can_be_are_no_keys(scratch: Connection) -> None:
    scratch.execute(
        """
        CREATE TABLE customer (id integer PRIMARY KEY, since date);
        CREATE TABLE invoice (id integer PRIMARY KEY, customer_id bigint);
        INSERT INTO customer SELECT n, date '2020-01-01' + n FROM generate_series(1, 500) AS n;
        INSERT INTO invoice SELECT n, 1234567890123456789 + n % 400
            FROM generate_series(1, 3000) AS n;
        ANALYZE"""
    )
    assert read_facts(scratch).joins == ()
    scratch.execute("UPDATE invoice SET customer_id = 1 + id % 400; ANALYZE invoice")
    (join,) = read_facts(scratch).joins
    assert (join.child, *join.child_columns, join.parent) == ("invoice", "customer_id", "customer")


def test_documents_are_not_fetched_whole(scratch: Connection) -> None:
    """Of a table that was never analyzed, whose values are looked at."""
    scratch.execute(
        """
        CREATE TABLE scan (id integer PRIMARY KEY, name text, page bytea, extra json);
        INSERT INTO scan SELECT n, 'n' || n, decode(repeat('00ff', 50000), 'hex'),
                                json_build_array(repeat('x', 100000))
            FROM generate_series(1, 100) AS n"""
    )
    tracemalloc.start()
    (scans,) = read_facts(scratch).relations
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000, "one row alone is of 300 kB"
    distinct = {column.name: column.distinct for column in scans.columns}
    assert distinct == {"id": 100, "name": 100, "page": 1, "extra": 1}


def drop_foreign_keys(connection: Connection) -> None:
    drops = connection.execute(
        "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)"
        " FROM pg_constraint WHERE contype = 'f'"
    ).fetchall()
    assert drops
    for (statement,) in drops:
        connection.execute(statement.encode())


@pytest.mark.parametrize("analyzed", [True, False])
def test_odd_names_types_and_values_are_served(scratch: Connection, analyzed: bool) -> None:
    scratch.execute(ODD)
    if analyzed:
        scratch.execute("ANALYZE")
    facts = read_facts(scratch)
    names = {"Shop Front.Order", "Shop Front.user's", "Shop Front.parts"}
    assert {relation.name for relation in facts.relations} == names
    assert {join.child_columns for join in facts.joins} == {("FROM",), ("Order",)}
    assert_all_run(scratch, facts)
    made = synthesize(scratch, OWN, 15, seed=1)
    assert len(made.workload.queries) == 15
    assert set(made.dropped) <= {SAME_SHAPE}


def assert_all_run(connection: Connection, facts: SchemaFacts) -> None:
    texts = []
    for seed in range(150):
        texts.append(draw_query(Random(seed), facts).sql)
        connection.execute(texts[-1].encode(), prepare=False)
    everything = "\n".join(texts)
    for piece in ('"Größe"', '"select"', '"He ""said"" hi"', "it''s 100% ", '"FROM"'):
        assert piece in everything


def test_a_query_that_runs_too_long_is_dropped_and_nothing_is_written(
    scratch: Connection,
) -> None:
    scratch.execute("CREATE TABLE t AS SELECT n, n % 10 AS k FROM generate_series(1, 200000) AS n")
    scratch.execute("ANALYZE")
    with pytest.raises(UsageError, match="too long a run"):
        synthesize(scratch, OWN, 2, seed=1, limits=Limits(seconds=0.001, draws=3))
    assert scratch.execute("SHOW transaction_read_only").fetchone() == ("off",)


def test_a_schema_with_few_shapes_gives_what_it_has(scratch: Connection) -> None:
    scratch.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) AS n")
    scratch.execute("ANALYZE")
    made = synthesize(scratch, OWN, 100, seed=1, limits=Limits(draws=1))
    assert 0 < len(made.workload.queries) < 20
    assert made.dropped[SAME_SHAPE] == 100 - len(made.workload.queries)


def test_a_database_without_rows_is_refused(scratch: Connection) -> None:
    scratch.execute("CREATE TABLE t (n integer)")
    with pytest.raises(UsageError, match="no table with rows"):
        synthesize(scratch, OWN, 5, seed=1)


@pytest.mark.parametrize("count", [0, -3])
def test_a_count_below_one_is_refused(tpch: Connection, count: int) -> None:
    with pytest.raises(UsageError, match="at least one query"):
        synthesize(tpch, OWN, count, seed=1)


def test_shapes_overlook_constants_and_processes_but_not_structure() -> None:
    scan = PlanNode("Seq Scan", 10.0, relation="t")
    gathered = PlanNode("Gather", 20.0, workers=2, children=(scan,))
    hashed = PlanNode("Hash", 5.0, children=(PlanNode("Seq Scan", 1.0, relation="u"),))
    join = PlanNode("Hash Join", 30.0, children=(gathered, hashed))
    other = PlanNode("Hash Join", 99.0, children=(scan, hashed.children[0]))
    assert canonical_shape(join) == canonical_shape(other)
    assert canonical_shape(join) != canonical_shape(PlanNode("Merge Join", 30.0))
