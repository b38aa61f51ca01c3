"""What statements do, decided from their parse trees."""

import pglast
import pytest
from pglast.ast import Node

from workloads.effects import Effect, effect_of


def tree(text: str) -> Node:
    (raw,) = pglast.parse_sql(text)
    assert raw.stmt is not None
    return raw.stmt


READS = [
    "SELECT 1",
    "TABLE t",
    "VALUES (1)",
    "WITH a AS (SELECT 1) SELECT * FROM a",
    "SELECT f(x) FROM t",
    'SELECT \'INSERT\', "delete" FROM "update"',
]
WRITES = [
    "INSERT INTO t VALUES (1)",
    "UPDATE t SET a = 1",
    "DELETE FROM t",
    "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE",
    "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
    "SELECT * FROM t FOR UPDATE",
    "SELECT * FROM (SELECT * FROM t FOR SHARE SKIP LOCKED) s",
    "SELECT * INTO copied FROM t",
    "CREATE TABLE copied AS SELECT 1",
    "CREATE MATERIALIZED VIEW copied AS SELECT 1",
    "SELECT nextval('s')",
]
REFUSED = {
    "BEGIN": "by itself",
    "COMMIT": "by itself",
    "SET work_mem = '1GB'": "settings are what LLMTune changes",
    "RESET ALL": "settings",
    "ALTER SYSTEM SET work_mem = '1GB'": "cannot be rolled back",
    "SELECT set_config('work_mem', '1GB', false)": "set_config",
    "VACUUM t": "maintenance",
    "ANALYZE t": "maintenance",
    "CREATE DATABASE d": "cannot be rolled back",
    "CREATE INDEX CONCURRENTLY ON t (a)": "no query",
    "CREATE TABLE t (a int)": "no query",
    "COPY t FROM STDIN": "COPY",
    "COPY t TO PROGRAM 'cat'": "COPY",
    "COPY (SELECT 1) TO STDOUT": "COPY",
    "NOTIFY c": "other sessions",
    "LISTEN c": "no query",
    "EXPLAIN ANALYZE DELETE FROM t": "without EXPLAIN",
    "CALL p()": "commit",
    "DO 'BEGIN END'": "planned",
    "TRUNCATE t": "planned",
    "PREPARE a AS SELECT 1": "parameters",
    "EXECUTE a": "prepared query",
    "DECLARE c CURSOR FOR SELECT 1": "cursor",
    "LOCK TABLE t": "no query",
    "REFRESH MATERIALIZED VIEW m": "no query",
    "SELECT a FROM t WHERE (SELECT pg_catalog.pg_terminate_backend(b))": "other sessions",
    "INSERT INTO t SELECT setval('s', 1)": "sequence",
    "SELECT pg_stat_reset_shared('bgwriter')": "statistics are lost",
    "SELECT pg_replication_slot_advance('s', '0/1')": "replication",
    "SELECT pg_advisory_unlock_all()": "locks",
    "SELECT * FROM dblink('d', 'DELETE FROM t') AS d (n int)": "another database",
}


@pytest.mark.parametrize("text", READS)
def test_it_reads(text: str) -> None:
    assert effect_of(tree(text)) == Effect()


@pytest.mark.parametrize("text", WRITES)
def test_it_writes(text: str) -> None:
    assert effect_of(tree(text)) == Effect(writes=True)


@pytest.mark.parametrize("text", REFUSED)
def test_it_cannot_be_measured(text: str) -> None:
    assert REFUSED[text] in effect_of(tree(text)).refusal
