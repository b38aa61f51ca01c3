"""The synthetic IMDb in a server: references resolve, columns depend on one another."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.load import ensure_loaded
from llmtune.postgres.target import Connection
from workloads.job import job_queries
from workloads.job.data import synthetic_data_set
from workloads.job.schema import REFERENCES

SCALE = 0.004
SMALLEST = 1e-6
PLAIN_PLANS = {"geqo_threshold": "6", "geqo_effort": "1"}
"""On a few hundred rows, finding the best join order takes longer than any join."""

One = Callable[[str], Any]


@pytest.fixture(scope="module")
def imdb(embedded: EmbeddedTarget) -> Iterator[Connection]:
    database = ensure_loaded(embedded, synthetic_data_set(SCALE))
    with embedded.connect(database, {"max_parallel_workers_per_gather": "0"}) as connection:
        yield connection


@pytest.fixture(scope="module")
def one(imdb: Connection) -> One:
    """The only value of a query's only row."""

    def ask(query: str) -> Any:
        row = imdb.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]

    return ask


def lift(one: One, rows: str, first: str, second: str) -> float:
    """How much more often both hold than if they were independent."""
    return float(
        one(
            f"SELECT avg((({first}) AND ({second}))::int)"
            f" / (avg(({first})::int) * avg(({second})::int)) FROM {rows}"
        )
    )


def test_every_reference_resolves(imdb: Connection) -> None:
    references = {**REFERENCES, ("title", "episode_of_id"): "title"}
    with imdb.transaction(force_rollback=True):
        for (table, column), other in references.items():
            imdb.execute(
                f"ALTER TABLE {table} ADD FOREIGN KEY ({column}) REFERENCES {other} (id)".encode()
            )
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            imdb.execute("UPDATE cast_info SET movie_id = -1 WHERE id = 1")


def test_every_published_query_has_an_answer_at_any_scale(embedded: EmbeddedTarget) -> None:
    database = ensure_loaded(embedded, synthetic_data_set(SMALLEST))
    with embedded.connect(database, PLAIN_PLANS) as connection:
        empty = [
            query.id
            for query in job_queries()
            if None in connection.execute(query.sql.encode()).fetchall()[0]
        ]
    assert empty == []


def test_the_planner_errs_by_orders_of_magnitude(imdb: Connection) -> None:
    worst = max(
        error
        for query in job_queries()
        if query.id in ("18c", "25c")
        for error in join_errors(analyzed(imdb, query.sql))
    )
    assert worst >= 100


def analyzed(connection: Connection, query: str) -> dict[str, Any]:
    statement = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}"
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


def join_errors(node: dict[str, Any]) -> Iterator[float]:
    for child in node.get("Plans", ()):
        yield from join_errors(child)
    if node["Node Type"] in ("Nested Loop", "Hash Join", "Merge Join") and node["Actual Loops"]:
        estimated, actual = max(node["Plan Rows"], 1), max(node["Actual Rows"], 1)
        yield max(estimated / actual, actual / estimated)


def test_role_and_gender(one: One) -> None:
    rows = "cast_info JOIN name ON name.id = person_id JOIN role_type ON role_type.id = role_id"
    assert one(f"SELECT avg((gender = 'f')::int) FROM {rows} WHERE role = 'actress'") > 0.95
    assert one(f"SELECT avg((gender = 'f')::int) FROM {rows} WHERE role = 'actor'") < 0.05


def test_country_and_language(one: One) -> None:
    rows = (
        "(SELECT c.info country, l.info language FROM movie_info c JOIN movie_info l"
        " USING (movie_id) WHERE c.info_type_id = 8 AND l.info_type_id = 4) pairs"
    )
    assert lift(one, rows, "country = 'Japan'", "language = 'Japanese'") > 8
    assert lift(one, rows, "country = 'Japan'", "language = 'French'") < 0.4


def test_company_and_country(one: One) -> None:
    rows = (
        "(SELECT country_code code, info country FROM movie_companies"
        " JOIN company_name ON company_name.id = company_id JOIN movie_info USING (movie_id)"
        " WHERE info_type_id = 8) pairs"
    )
    assert lift(one, rows, "code = '[de]'", "country = 'Germany'") > 7


def test_kind_and_year(one: One) -> None:
    rows = "title JOIN kind_type ON kind_type.id = kind_id"
    assert one(f"SELECT min(production_year) FROM {rows} WHERE kind = 'video game'") >= 1980
    assert one(f"SELECT min(production_year) FROM {rows} WHERE kind = 'movie'") < 1920


def test_genre_and_rating(one: One) -> None:
    def mean(genre: str) -> Any:
        return one(
            "SELECT avg(r.info::numeric) FROM movie_info g JOIN movie_info_idx r USING (movie_id)"
            f" WHERE g.info_type_id = 3 AND g.info = '{genre}' AND r.info_type_id = 101"
        )

    assert mean("Documentary") - mean("Horror") > 2


def test_keywords_go_together(one: One) -> None:
    rows = (
        "(SELECT array_agg(keyword) words FROM movie_keyword JOIN keyword"
        " ON keyword.id = keyword_id GROUP BY movie_id) movies"
    )
    assert lift(one, rows, "'murder' = ANY(words)", "'blood' = ANY(words)") > 3
    assert lift(one, rows, "'murder' = ANY(words)", "'cowboy' = ANY(words)") < 1.5


def test_famous_movies_have_much_of_everything(one: One) -> None:
    correlation = one(
        "SELECT corr(cast_count, keyword_count) FROM"
        " (SELECT movie_id, count(*) cast_count FROM cast_info GROUP BY 1) c JOIN"
        " (SELECT movie_id, count(*) keyword_count FROM movie_keyword GROUP BY 1) k"
        " USING (movie_id)"
    )
    assert correlation > 0.4


@pytest.mark.parametrize(
    ("table", "column", "share"),
    [
        ("cast_info", "movie_id", 0.08),
        ("cast_info", "person_id", 0.15),
        ("movie_keyword", "movie_id", 0.05),
        ("movie_keyword", "keyword_id", 0.08),
        ("movie_companies", "company_id", 0.08),
        ("movie_info", "movie_id", 0.03),
    ],
)
def test_the_first_hundredth_has_far_more_than_its_share(
    one: One, table: str, column: str, share: float
) -> None:
    first = one(
        "SELECT sum(children) FILTER (WHERE place <= 0.01) / sum(children) FROM"
        " (SELECT count(*) children, percent_rank() OVER (ORDER BY count(*) DESC) place"
        f" FROM {table} GROUP BY {column}) fan_outs"
    )
    assert first > share
