"""What the parameters of a statement are compared with."""

import pglast
import pytest

from workloads.captured.places import Place, places_in
from workloads.captured.scope import Column, TableName, tables_of


def places(sql: str) -> dict[int, Place]:
    (raw,) = pglast.parse_sql(sql)
    assert raw.stmt is not None
    return places_in(raw.stmt)


def tables(sql: str) -> set[str]:
    (raw,) = pglast.parse_sql(sql)
    assert raw.stmt is not None
    return {f"{table.schema}.{table.name}" for table in tables_of(raw.stmt)}


def summary(place: Place) -> str:
    """Column, its first table and the role, such as `t.a equal`."""
    column = place.column
    where = f"{column.tables[0].name}.{column.name} " if column else ""
    return f"{where}{place.role.value}"


ONE = {
    "SELECT 1 FROM t WHERE a = $1": "t.a equal",
    "SELECT 1 FROM t WHERE $1 = a": "t.a equal",
    "SELECT 1 FROM t WHERE a > $1": "t.a lower",
    "SELECT 1 FROM t WHERE $1 > a": "t.a upper",
    "SELECT 1 FROM t WHERE a <> $1": "t.a equal",
    "SELECT 1 FROM t WHERE a LIKE $1": "t.a like",
    "SELECT 1 FROM t WHERE a NOT ILIKE $1": "t.a like",
    "SELECT 1 FROM t WHERE a IN ($1 /*, ... */)": "t.a equal",
    "SELECT 1 FROM t WHERE a::text = $1": "t.a equal",
    "SELECT 1 FROM t x WHERE x.a = $1": "t.a equal",
    "SELECT 1 FROM t JOIN u ON t.id = u.id AND u.a = $1": "u.a equal",
    "SELECT 1 FROM s.t WHERE s.t.a = $1": "t.a equal",
    "SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id AND t.a = $1)": "t.a equal",
    "SELECT 1 FROM t WHERE b > (SELECT avg(c) FROM u WHERE a = $1)": "u.a equal",
    "SELECT 1 FROM t WHERE a < date $1 + interval '1 day'": "t.a upper",
    "SELECT 1 FROM t WHERE (a, b) = ($1, 2)": "t.a equal",
    "SELECT 1 FROM t WHERE (a, b) IN ((1, 2), (3, $1))": "t.b equal",
    "UPDATE t SET a = $1": "t.a equal",
    "DELETE FROM t USING u WHERE t.id = u.id AND u.a = $1": "u.a equal",
    "SELECT 1 FROM t LIMIT $1": "limit",
    "SELECT 1 FROM t LIMIT 3 OFFSET $1": "offset",
    "SELECT $1, a FROM t": "output",
    "SELECT CASE WHEN a = 1 THEN $1 END FROM t": "output",
    "SELECT extract($1 FROM a) FROM t": "field",
    "SELECT date_trunc($1, a) FROM t": "field",
    "SELECT substring(a FROM $1) FROM t": "other",
    "SELECT a ->> $1 FROM t": "other",
    "SELECT 1 FROM t WHERE a -> $1 = b": "other",
    "SELECT count(*) FROM t HAVING count(*) > $1": "other",
    "WITH t AS (SELECT 1 AS a) SELECT 1 FROM t WHERE a = $1": "other",
    "WITH t AS (SELECT 1 FROM t WHERE a = $1) TABLE t": "t.a equal",
    "INSERT INTO t VALUES ($1)": "other",
}


@pytest.mark.parametrize("sql", ONE)
def test_one_parameter(sql: str) -> None:
    found = places(sql)
    assert list(found) == [1]
    assert summary(found[1]) == ONE[sql]


def test_several_parameters() -> None:
    found = places(
        "SELECT 1 FROM t WHERE a BETWEEN $1 AND $2 AND lower(b) = $3 AND c = ANY ($4)"
        " AND d >= date $5 - interval $6 AND e < $7 + $8 AND f IN ($9, $10)"
    )
    said = {number: summary(place) for number, place in found.items()}
    assert said == {
        1: "t.a lower",
        2: "t.a upper",
        3: "t.b equal",
        4: "t.c equal",
        5: "t.d lower",
        6: "other",
        7: "t.e upper",
        8: "other",
        9: "t.f equal",
        10: "t.f equal",
    }
    assert (found[3].fold, found[4].array) == ("lower", True)
    assert [found[n].cast for n in (5, 6)] == ["date", "interval"]


def test_a_parameter_used_twice_keeps_the_place_that_tells_most() -> None:
    assert summary(places("SELECT f($1) FROM t WHERE a = $1")[1]) == "t.a equal"
    assert summary(places("SELECT 1 FROM t WHERE a = $1 AND f($1)")[1]) == "t.a equal"


def test_an_unqualified_column_may_belong_to_every_table_in_sight() -> None:
    found = places("SELECT 1 FROM t JOIN s.u USING (id) WHERE a = $1")
    assert found[1].column == Column("a", (TableName("", "t"), TableName("s", "u")))


def test_the_tables_of_a_statement() -> None:
    sql = (
        "WITH c AS (SELECT 1 FROM a) SELECT (SELECT 1 FROM s.b) FROM c, d e"
        " LEFT JOIN (SELECT 1 FROM pg_class) f ON true"
    )
    assert tables(sql) == {".a", "s.b", ".d", ".pg_class"}
    assert tables("SELECT now()") == set()
    assert tables("WITH a AS (SELECT 1 FROM a), b AS (TABLE a) TABLE b") == {".a"}
    assert tables("MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE") == {".a", ".b"}
