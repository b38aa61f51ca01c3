"""Taking snapshots of a server's traffic by one cheap statement.

The texts of statements are never asked for: they lie in a file that the server
would read as a whole. Our own statement is left out by its number.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from llmtune.errors import TargetError, UsageError
from llmtune.postgres.heavy_statements import statistics_extension
from llmtune.postgres.session import loss_is_failure
from llmtune.postgres.target import Connection, Target
from llmtune.postgres.traffic import Counted, Running, Snapshot, StatementKey, Totals

LEAST_COLUMNS = frozenset({"toplevel", "total_exec_time", "total_plan_time", "stddev_exec_time"})
"""What version 1.9 of the extension brought, the one of PostgreSQL 14."""

SNAPSHOT = """
    WITH sessions AS MATERIALIZED (
        SELECT pid = pg_backend_pid() AS own, datid, query_id,
               extract(epoch FROM clock_timestamp() - query_start)::float8 AS seconds
        FROM pg_stat_activity
        WHERE state = 'active' AND backend_type = 'client backend' AND query_id IS NOT NULL
    )
    SELECT info.dealloc, info.stats_reset,
           transactions, hits, reads, temp_bytes,
           databases, numbers, calls, seconds, means, deviations,
           running_databases, running_numbers, running_seconds
    FROM {info} AS info,
        (SELECT sum(xact_commit + xact_rollback)::int8 AS transactions, sum(blks_hit)::int8 AS hits,
                sum(blks_read)::int8 AS reads, sum(temp_bytes)::int8 AS temp_bytes
         FROM pg_stat_database) AS totals,
        (SELECT array_agg(dbid::int8) AS databases, array_agg(queryid) AS numbers,
                array_agg(calls) AS calls,
                array_agg((total_exec_time + total_plan_time) / 1000) AS seconds,
                array_agg(mean_exec_time / 1000) AS means,
                array_agg(stddev_exec_time / 1000) AS deviations
         FROM {statements}(false)
         WHERE toplevel AND queryid IS NOT NULL
           AND queryid NOT IN (SELECT query_id FROM sessions WHERE own)) AS counted,
        (SELECT array_agg(datid::int8) AS running_databases,
                array_agg(query_id) AS running_numbers, array_agg(seconds) AS running_seconds
         FROM sessions WHERE NOT own) AS running
"""


class TrafficReader:
    """Reads the counters through one connection."""

    def __init__(self, connection: Connection) -> None:
        """Make sure that the counters can be read.

        Raises:
            UsageError: `pg_stat_statements` is missing here, not loaded, too old, or
                this role does not see what others run; what to do is said.
        """
        _check_rights(connection)
        installed = statistics_extension(connection)
        if not set(installed.columns) >= LEAST_COLUMNS:
            raise UsageError(
                "pg_stat_statements is of an old version in the database "
                f"{connection.info.dbname}: run ALTER EXTENSION pg_stat_statements UPDATE in it"
            )
        self._connection = connection
        self.statement = sql.SQL(SNAPSHOT).format(
            statements=sql.Identifier(installed.schema, "pg_stat_statements"),
            info=sql.Identifier(installed.schema, "pg_stat_statements_info"),
        )
        self._looks, self._looking_s = 0, 0.0
        self.snapshot()

    def snapshot(self) -> Snapshot:
        """The counters now.

        Raises:
            UsageError: the server runs without the library.
            ConnectionFailed: the server went away.
        """
        start = time.monotonic()
        try:
            with loss_is_failure():
                row = self._connection.execute(self.statement, binary=True).fetchone()
        except psycopg.errors.ObjectNotInPrerequisiteState as error:
            raise UsageError(
                "the server runs without pg_stat_statements: add it to shared_preload_libraries "
                "and restart the server"
            ) from error
        except psycopg.Error as error:
            raise TargetError(f"pg_stat_statements cannot be read: {str(error).strip()}") from error
        assert row is not None  # noqa: S101  its FROM has one row
        self._looks += 1
        self._looking_s += time.monotonic() - start
        return _snapshot(row, self._looking_s / self._looks)


@contextmanager
def traffic_reader(target: Target) -> Iterator[TrafficReader]:
    """A reader over a connection of its own to the target's database."""
    with target.connect() as connection:
        yield TrafficReader(connection)


def counting_statement(target: Target) -> str:
    """The statement that a reader on this target repeats."""
    with target.connect() as connection:
        return TrafficReader(connection).statement.as_string(connection).strip()


def _snapshot(row: tuple[Any, ...], took: float) -> Snapshot:
    evictions, reset, totals, columns, running = row[0], row[1], row[2:6], row[6:12], row[12:]
    ongoing = tuple(Running((base, number), seconds) for base, number, seconds in _rows(running))
    return Snapshot(
        time.monotonic(), evictions, reset, Totals(*totals), _counted(columns), ongoing, took
    )


def _counted(columns: Iterable[list[Any] | None]) -> dict[StatementKey, Counted]:
    """The statements; the server counts those of each role apart."""
    counted: dict[StatementKey, Counted] = {}
    for base, number, calls, seconds, mean, deviation in _rows(columns):
        key, one = (base, number), Counted(calls, seconds, calls * (mean**2 + deviation**2))
        counted[key] = counted[key] + one if key in counted else one
    return counted


def _rows(columns: Iterable[list[Any] | None]) -> Iterator[tuple[Any, ...]]:
    """The rows of aggregated columns, which are NULL where there was no row."""
    return zip(*(column or () for column in columns), strict=True)


def _check_rights(connection: Connection) -> None:
    reads = "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), current_user"
    row = connection.execute(reads).fetchone()
    if row is not None and not row[0]:
        raise UsageError(
            f"the role {row[1]} may not see what other roles run: "
            f"GRANT pg_read_all_stats TO {sql.Identifier(row[1]).as_string(None)}"
        )
