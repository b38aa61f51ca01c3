"""How far the planner errs on the synthetic IMDb: `python benchmarks/job_estimates.py [SCALE]`.

Runs the 113 queries of the Join Order Benchmark once, without parallel workers, and
compares each join's estimated with its actual rows. The q-error is the factor between
them, whichever is larger; both count as at least one row.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.load import ensure_loaded
from llmtune.postgres.target import Connection
from workloads.job import job_queries
from workloads.job.data import synthetic_data_set
from workloads.job.synthetic import SYNTHETIC_SCALE
from workloads.workload import Query

SETTINGS = {"max_parallel_workers_per_gather": "0", "statement_timeout": "120s", "jit": "off"}
JOINS = ("Nested Loop", "Hash Join", "Merge Join")


@dataclass(frozen=True, slots=True)
class Join:
    """One executed join: how many relations lie below it, and its rows in one loop."""

    relations: int
    estimated: float
    actual: float

    @property
    def error(self) -> float:
        return max(self.estimated / self.actual, self.actual / self.estimated)


def main(scale: float) -> None:
    data_set = synthetic_data_set(scale)
    joins: dict[str, list[Join]] = {}
    seconds: dict[str, float] = {}
    empty: list[str] = []
    with EmbeddedTarget() as target:
        started = time.perf_counter()
        database = ensure_loaded(target, data_set)
        print(f"{data_set.name}: loaded in {time.perf_counter() - started:.1f} s")
        with target.connect(database, SETTINGS) as connection:
            for query in job_queries():
                seconds[query.id], has_null = run(connection, query)
                empty += [query.id] * has_null
                joins[query.id] = list(executed_joins(analyzed(connection, query)))
    report(joins)
    slowest = sorted(seconds, key=seconds.__getitem__, reverse=True)[:5]
    print(f"all queries once: {sum(seconds.values()):.1f} s; slowest:", end=" ")
    print(", ".join(f"{name} {seconds[name]:.1f} s" for name in slowest))
    print(f"queries with a NULL minimum: {len(empty)} of {len(seconds)} {' '.join(empty)}")


def run(connection: Connection, query: Query) -> tuple[float, bool]:
    """The seconds that the query took, and whether a minimum is NULL."""
    started = time.perf_counter()
    rows = connection.execute(query.sql.encode()).fetchall()
    return time.perf_counter() - started, any(value is None for row in rows for value in row)


def analyzed(connection: Connection, query: Query) -> dict[str, Any]:
    statement = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query.sql}"
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


def executed_joins(node: dict[str, Any]) -> Iterator[Join]:
    for child in node.get("Plans", ()):
        yield from executed_joins(child)
    if node["Node Type"] in JOINS and node["Actual Loops"] > 0:
        yield Join(relations(node), max(node["Plan Rows"], 1.0), max(node["Actual Rows"], 1.0))


def relations(node: dict[str, Any]) -> int:
    return ("Relation Name" in node) + sum(relations(child) for child in node.get("Plans", ()))


def report(joins: dict[str, list[Join]]) -> None:
    every = [join for found in joins.values() for join in found]
    print(f"{'relations':>9} {'joins':>6} {'median':>9} {'p95':>9} {'max':>11}")
    for depth in sorted({join.relations for join in every}):
        print_line(str(depth), [join.error for join in every if join.relations == depth])
    print_line("all", [join.error for join in every])
    for bound in (10, 100, 1000):
        low = sum(join.actual >= bound * join.estimated for join in every)
        high = sum(join.estimated >= bound * join.actual for join in every)
        queries = sum(any(join.error >= bound for join in found) for found in joins.values())
        print(f"q-error {bound} or more: {queries} of {len(joins)} queries", end=", ")
        print(f"{low} joins estimated too low and {high} too high, of {len(every)}")


def print_line(label: str, errors: list[float]) -> None:
    median, largest = statistics.median(errors), max(errors)
    p95 = sorted(errors)[max(0, round(0.95 * len(errors)) - 1)]
    print(f"{label:>9} {len(errors):6} {median:9.1f} {p95:9.1f} {largest:11.1f}")


if __name__ == "__main__":
    try:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else SYNTHETIC_SCALE)
    except psycopg.errors.QueryCanceled as error:
        sys.exit(f"a query took longer than {SETTINGS['statement_timeout']}: {error}")
