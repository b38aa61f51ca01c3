"""Capturing from a server that counts and logs statements as a live one does."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg.errors import DivisionByZero

from llmtune.benchmark.check import CheckOptions, check_queries
from llmtune.errors import UsageError
from llmtune.postgres.captured import Captured, captured_workload
from llmtune.postgres.column_values import column_values
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.live.address import parse_address
from llmtune.postgres.live.login import Login
from llmtune.postgres.pgbench import find_pgbench
from llmtune.postgres.target import Connection
from tests.postgres.live_server import address, drop_role, new_role
from workloads.captured.scope import Column, TableName
from workloads.options import WorkloadOptions
from workloads.workload import ExistingDatabase

SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "logging_collector": "on",
    "log_destination": "csvlog,jsonlog",
    "log_filename": "statements.log",
    "log_min_duration_statement": "0",
    "compute_query_id": "on",
}
SCHEMA = """
    CREATE SCHEMA statistics;
    CREATE EXTENSION pg_stat_statements SCHEMA statistics;
    CREATE TABLE sale (id int PRIMARY KEY, state text, price numeric, sold date, note text,
        extra jsonb);
    INSERT INTO sale SELECT g, CASE WHEN g % 10 = 0 THEN 'open' ELSE 'done' END, g / 10.0,
        DATE '2020-01-01' + g % 1000, 'note ' || g, '{}' FROM generate_series(1, 5000) g;
    CREATE TABLE secret AS SELECT 1 AS a;
    CREATE SCHEMA audit;
    CREATE TABLE audit.entry AS SELECT 1 AS a;
    CREATE ROLE reader;
    GRANT SELECT ON sale TO reader;
    GRANT USAGE ON SCHEMA statistics TO reader;
    ANALYZE;
"""
RESET = "SELECT statistics.pg_stat_statements_reset()"
STATE = "SELECT count(*) FROM sale WHERE state = %s"
SPAN = "SELECT sum(price) FROM sale WHERE sold >= %s AND sold < %s AND price > %s - 1"
LIST = "SELECT note FROM sale WHERE id IN (1, 2, 3) ORDER BY id LIMIT 2"
NOTED = "SELECT id FROM sale WHERE note LIKE 'note 1%%' AND upper(state) = 'OPEN'"
YEARS = "SELECT extract(year FROM sold), count(*) FROM sale GROUP BY 1 HAVING count(*) > 3"
UNKNOWN = "SELECT count(*) FROM sale WHERE extra ->> 'colour' = 'red'"
NEVER = "current_user <> session_user"
WRITE = "UPDATE sale SET price = 5 WHERE id = 7"


@pytest.fixture(scope="module")
def server(cache: Path) -> Iterator[EmbeddedTarget]:
    with EmbeddedTarget(cache=cache) as target:
        with target.connect() as control:
            for name, value in SETTINGS.items():
                control.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
        target.restart()
        with target.connect() as control:
            control.execute("CREATE DATABASE shop")
        with target.connect("shop") as connection:
            connection.execute(SCHEMA.encode())
        yield target
        with target.connect() as control:
            control.execute("DROP DATABASE shop WITH (FORCE)")
            control.execute("DROP ROLE reader")


@pytest.fixture
def shop(server: EmbeddedTarget) -> Iterator[Connection]:
    """The shop's database with the statements of an application, counted afresh."""
    with server.connect("shop") as application:
        application.execute(RESET)
        application.execute("SET application_name = 'shop'")
        for state in ("open", "done", "done"):
            application.execute(STATE, [state], prepare=True)
        application.execute(SPAN, ["2020-03-01", "2020-04-01", 7])
        for plain in (LIST, NOTED.replace("%%", "%"), YEARS, UNKNOWN):
            application.execute(plain.encode())
        application.execute("SHOW work_mem")
        application.execute("SELECT count(*) FROM pg_class WHERE relkind = 'r'")
        application.execute("SELECT 1")
    with server.connect("shop") as connection:
        yield connection


@pytest.fixture
def capture(shop: Connection) -> Callable[..., Captured]:
    def run(**options: object) -> Captured:
        return captured_workload(shop, WorkloadOptions(**{"seed": 1, **options}))

    return run


def texts(captured: Captured, part: str) -> list[str]:
    return [q.sql for q in captured.workload.queries if part in q.sql]


def test_parameters_get_values_of_their_columns(shop, capture):
    found = capture()
    assert len(texts(found, "WHERE state = ")) == 2, "there are but two states"
    assert {sql[-6:] for sql in texts(found, "WHERE state = ")} == {"'open'", "'done'"}
    for sql in texts(found, "sum(price)"):
        check = sql.replace("sum(price)", "count(*) > 0 AND bool_and(sold < current_date)")
        assert shop.execute(check.encode()).fetchone() is not None
        low, high = (sql.partition(op)[2][1:13] for op in (">= ", "sold < "))
        assert low <= high
    for sql in texts(found, "note LIKE"):
        assert "LIKE '%" in sql
        assert sql.endswith(("'OPEN'", "'DONE'"))
    assert all("LIMIT 100" in sql for sql in texts(found, "SELECT note"))
    assert texts(found, "HAVING count(*) > 1")


def test_a_captured_workload_runs_and_changes_nothing(shop, capture):
    found = capture()
    before = shop.execute("SELECT count(*), sum(price) FROM sale").fetchone()
    checked = check_queries(shop, found.workload, CheckOptions(10.0))
    assert checked.left_out == ()
    assert len(checked.workload.queries) >= 10
    assert shop.execute("SELECT count(*), sum(price) FROM sale").fetchone() == before
    assert found.workload.data_set == ExistingDatabase(database="shop")


def test_weights_are_in_proportion_to_calls(capture):
    queries = capture().workload.queries
    by_template: dict[str, float] = {}
    for query in queries:
        by_template[query.template] = by_template.get(query.template, 0) + query.weight
    assert max(by_template.values()) == pytest.approx(3 * min(by_template.values()), rel=0.01)
    assert sum(query.weight for query in queries) == pytest.approx(len(queries), rel=0.01)
    assert all(query.place.startswith("query id ") for query in queries)


def test_what_has_no_value_is_listed_and_what_is_no_query_is_not(capture):
    found = capture()
    (one,) = found.skipped
    assert "extra ->>" in one.sql
    assert "no value is known for $1 (text)" in one.reason
    assert "--data" in one.reason
    assert one.seconds > 0
    again = capture()
    for strange in ("pg_", "EXPLAIN", "llmtune", "SHOW"):
        assert not texts(again, strange)
    assert len(again.skipped) == 1


def test_the_seed_decides(shop, capture):
    first = capture()
    shop.execute("SELECT 1")
    assert [q.sql for q in capture().workload.queries] == [q.sql for q in first.workload.queries]
    assert capture(seed=2).workload.name != first.workload.name


def test_the_heaviest_come_first_and_the_limit_holds(shop, capture):
    shop.execute(b"SELECT count(*), pg_sleep(0.3) FROM sale WHERE id = 5")
    found = captured_workload(shop, WorkloadOptions(seed=1), limit=2)
    assert {query.id.partition(".")[0] for query in found.workload.queries} == {"s1", "s2"}
    assert "pg_sleep" in found.workload.queries[0].sql


@pytest.mark.parametrize("form", ["csv", "json"])
def test_values_come_from_the_log_where_it_has_them(server, shop, form):
    with server.connect("shop") as application:
        application.execute("SET application_name = 'shop'")
        for number in (4711, 4712):
            application.execute("SELECT sold FROM sale WHERE id = %s", [number], prepare=True)
    log = server.data_folder / "log" / f"statements.{form}"
    wait_for(log, "4712")
    found = captured_workload(shop, WorkloadOptions(seed=1, data=log))
    assert {sql[-6:] for sql in texts(found, "SELECT sold")} == {"'4711'", "'4712'"}
    assert texts(found, "->> 'colour' = 'red'")
    assert found.skipped == ()


def test_a_log_without_numbers_of_statements_is_matched_by_text(server, shop, tmp_path):
    with server.connect("shop") as application:
        application.execute("SET application_name = 'shop'")
        application.execute("SELECT sold FROM sale WHERE id = 4321")
    wait_for(server.data_folder / "log" / "statements.json", "4321")
    lines = (server.data_folder / "log" / "statements.json").read_text().splitlines()
    bare = ({**json.loads(line), "query_id": 0} for line in lines)
    (tmp_path / "old.json").write_text("".join(f"{json.dumps(line)}\n" for line in bare))
    found = captured_workload(shop, WorkloadOptions(seed=1, data=tmp_path))
    assert "SELECT sold FROM sale WHERE id = 4321" in texts(found, "SELECT sold")


def test_what_cannot_be_read_with_its_values_is_passed_over(server, shop, tmp_path):
    """A parameter may stand where no constant may."""
    log = server.data_folder / "log" / "statements.json"
    with server.connect("shop") as application:
        application.execute("SET application_name = 'shop'")
        application.execute("SELECT sold FROM sale WHERE id = (%s::int[])[1]", [[4731]])
        application.execute("SELECT sold, id FROM sale WHERE id = 4732")
    wait_for(log, "4732")
    assert "($1::int[])[1]" in log.read_text()
    odd = tmp_path / "odd.json"
    odd.write_text(log.read_text().replace("($1::int[])[1]", "$1[1]"))
    found = captured_workload(shop, WorkloadOptions(seed=1, data=odd))
    assert texts(found, "sold, id") == ["SELECT sold, id FROM sale WHERE id = 4732"]


def test_a_log_that_helps_with_nothing_is_refused(server, shop, tmp_path):
    """As one in another language, where no message tells of a statement."""
    with server.connect("shop") as application:
        application.execute("SET application_name = 'shop'")
        application.execute("SELECT sold FROM sale WHERE id = 4741")
    log = server.data_folder / "log" / "statements.json"
    wait_for(log, "4741")
    german = log.read_text().replace("duration: ", "Dauer: ").replace("statement: ", "Anweisung: ")
    (tmp_path / "german.json").write_text(german)
    with pytest.raises(UsageError, match=r"german\.json has none .* of shop: .*lc_messages = 'C'"):
        captured_workload(shop, WorkloadOptions(seed=1, data=tmp_path / "german.json"))
    shop.execute(RESET)
    with pytest.raises(UsageError, match="no query on the tables of shop yet"):
        captured_workload(shop, WorkloadOptions(seed=1, data=log))


def wait_for(log: Path, text: str) -> None:
    """The server's log collector writes a moment after the statement."""
    for _ in range(100):
        if log.exists() and text in log.read_text():
            return
        time.sleep(0.05)
    raise AssertionError(f"{text} never came to {log}")


def test_writes_are_taken_only_where_they_are_allowed(shop, capture):
    shop.execute(WRITE.encode())
    before = shop.execute("SELECT sum(price) FROM sale").fetchone()
    (refused,) = (one for one in capture().skipped if one.sql.startswith("UPDATE"))
    assert "--allow-writes" in refused.reason
    allowed = capture(writes=True)
    writing = [query for query in allowed.workload.queries if query.writes]
    assert len(writing) == 3
    assert all(query.sql.startswith("UPDATE") for query in writing)
    assert check_queries(shop, allowed.workload, CheckOptions(10.0)).left_out == ()
    assert shop.execute("SELECT sum(price) FROM sale").fetchone() == before


def test_a_role_that_sees_nothing_is_told_what_it_lacks(shop, capture):
    shop.execute("SET SESSION AUTHORIZATION reader")
    with pytest.raises(UsageError, match="GRANT pg_read_all_stats TO reader"):
        capture()


def test_statements_of_others_and_tables_out_of_reach_are_listed(shop, capture):
    shop.execute(b"SELECT a FROM secret WHERE a = 1")
    shop.execute("SET SESSION AUTHORIZATION reader")
    shop.execute(b"SELECT max(price) FROM sale")
    found = capture()
    assert [query.sql for query in found.workload.queries] == ["SELECT max(price) FROM sale"]
    (hidden,) = found.skipped
    assert hidden.reason.endswith("GRANT pg_read_all_stats TO reader")
    shop.execute("RESET SESSION AUTHORIZATION")
    shop.execute("GRANT pg_read_all_stats TO reader")
    shop.execute("SET SESSION AUTHORIZATION reader")
    reasons = {one.sql: one.reason for one in capture().skipped}
    assert "permission denied for table secret" in reasons["SELECT a FROM secret WHERE a = $1"]
    shop.execute("RESET SESSION AUTHORIZATION")
    shop.execute("REVOKE pg_read_all_stats FROM reader")


def test_a_schema_out_of_reach_costs_its_statements_alone(shop, capture):
    shop.execute(b"SELECT a FROM audit.entry WHERE a = 1")
    shop.execute("GRANT pg_read_all_stats TO reader")
    shop.execute("SET SESSION AUTHORIZATION reader")
    found = capture()
    assert texts(found, "FROM sale")
    reasons = {one.sql: one.reason for one in found.skipped}
    reason = reasons["SELECT a FROM audit.entry WHERE a = $1"]
    assert reason == "its values cannot be looked up: permission denied for schema audit"
    shop.execute("RESET SESSION AUTHORIZATION")
    shop.execute("REVOKE pg_read_all_stats FROM reader")


def test_what_was_planned_but_never_ran_does_not_count(shop, capture):
    shop.execute("SET pg_stat_statements.track_planning = on")
    with pytest.raises(DivisionByZero):
        shop.execute(b"SELECT price / (id - 1) AS never FROM sale WHERE id = 1")
    counted = "SELECT plans, calls FROM statistics.pg_stat_statements WHERE query LIKE '%never%'"
    assert shop.execute(counted.encode()).fetchone() == (1, 0)
    found = capture()
    assert found.workload.queries
    assert not texts(found, "never")


def test_a_database_without_statements_says_what_to_do(server, shop):
    shop.execute(RESET)
    with pytest.raises(UsageError, match="no query on the tables of shop yet"):
        captured_workload(shop, WorkloadOptions())
    shop.execute(UNKNOWN.encode())
    with pytest.raises(UsageError, match="none of the 1 heaviest statements of shop can be used"):
        captured_workload(shop, WorkloadOptions())


def test_a_server_without_it_says_what_to_do(server, embedded):
    with (
        server.connect() as connection,
        pytest.raises(UsageError, match="run CREATE EXTENSION pg_stat_statements in it"),
    ):
        captured_workload(connection, WorkloadOptions())
    with embedded.connect() as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")
        with pytest.raises(UsageError, match="shared_preload_libraries, restart"):
            captured_workload(connection, WorkloadOptions())
        connection.execute("DROP EXTENSION pg_stat_statements")


VIEWS = {
    "quick": "SELECT state, count(*) AS n FROM sale GROUP BY state",
    "endless": "SELECT state, count(*) AS n FROM sale, pg_sleep(3600) GROUP BY state",
    "writing": "SELECT setval('looks', 7)::text AS state",
}


@pytest.fixture
def views(shop: Connection) -> Iterator[Connection]:
    shop.execute("CREATE SEQUENCE looks")
    for name, query in VIEWS.items():
        shop.execute(f"CREATE VIEW {name} AS {query}".encode())
    yield shop
    shop.execute("DROP VIEW quick, endless, writing")
    shop.execute("DROP SEQUENCE looks")


def test_a_view_is_looked_at_only_as_long_as_a_table_takes(views):
    views.execute("SET statement_timeout = '30s'")
    found = {
        name: column_values(views, Column("state", (TableName("", name),)), ordered=True)
        for name in VIEWS
    }
    assert found["quick"] is not None
    assert found["quick"].ordered == ("done", "open")
    assert (found["endless"], found["writing"]) == (None, None)
    assert views.execute("SELECT is_called FROM looks").fetchone() == (False,)
    assert views.execute("SHOW statement_timeout").fetchone() == ("30s",)
    assert not views.closed


def test_what_would_return_too_much_is_left_out_where_it_is_to_be_run(shop, capture):
    # What the planner cannot know: it ends at once, and returns nothing.
    shop.execute(f"SELECT a.note, b.note FROM sale a, sale b WHERE {NEVER}".encode())
    found = capture()
    (left,) = (one for one in found.skipped if "b.note" in one.sql)
    assert "returns 25,000,000 rows, " in left.reason
    assert not texts(found, "b.note")
    planned = captured_workload(shop, WorkloadOptions(seed=1), to_run=False)
    assert texts(planned, "b.note")


@pytest.mark.parametrize(
    ("role", "grants", "counted"),
    [
        ("postgres", (), 0),
        ("observer", ("GRANT SET ON PARAMETER pg_stat_statements.track TO observer",), 0),
        ("observer", (), 2),
    ],
)
def test_what_we_run_is_no_part_of_the_workload_where_the_role_may_say_so(
    server, shop, tmp_path, role, grants, counted
):
    if role != "postgres":
        new_role(server, role, *grants)
    login = Login(parse_address(address(server, role, "shop")))
    with login.connect() as ours:
        ours.execute("SELECT 1 AS of_ours")
    with login.connect_bare() as bare:
        login.pin(bare)
    variables = {**os.environ, **login.libpq_environment("shop")}
    script = tmp_path / "ours.sql"
    script.write_text("SELECT clock_timestamp() AS of_ours;", encoding="utf-8")
    command = [find_pgbench(), "--no-vacuum", "--transactions", "1", "--file", script]
    subprocess.run(command, env=variables, capture_output=True, check=True)
    found = "SELECT count(*) FROM statistics.pg_stat_statements WHERE query LIKE '%AS of_ours'"
    assert shop.execute(found).fetchone() == (counted,)
    if role != "postgres":
        drop_role(server, role)
