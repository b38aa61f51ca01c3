"""How far the planner errs on the synthetic IMDb: `python benchmarks/job_estimates.py [SCALE]`.

Runs the 113 queries of the Join Order Benchmark once, without parallel workers, and
compares each join's estimated with its actual rows. The q-error is the factor between
them, whichever is larger; both count as at least one row.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
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


def main(scale: float) -> None:
    data_set = synthetic_data_set(scale)
    errors: dict[int, list[float]] = defaultdict(list)
    worst: dict[str, float] = {}
    empty, seconds = [], {}
    with EmbeddedTarget() as target:
        started = time.perf_counter()
        database = ensure_loaded(target, data_set)
        print(f"{data_set.name}: loaded in {time.perf_counter() - started:.1f} s")
        with target.connect(database, SETTINGS) as connection:
            for query in job_queries():
                seconds[query.id], null = run(connection, query)
                if null:
                    empty.append(query.id)
                joins = list(join_errors(analyzed(connection, query)))
                worst[query.id] = max((error for _, error in joins), default=1.0)
                for relations, error in joins:
                    errors[relations].append(error)
    report(errors, worst)
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


def join_errors(node: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """For each join that was executed: its relations and its q-error, rows of one loop."""
    for child in node.get("Plans", ()):
        yield from join_errors(child)
    if node["Node Type"] in JOINS and node["Actual Loops"] > 0:
        estimated, actual = max(node["Plan Rows"], 1.0), max(node["Actual Rows"], 1.0)
        yield relations(node), max(estimated / actual, actual / estimated)


def relations(node: dict[str, Any]) -> int:
    return ("Relation Name" in node) + sum(relations(child) for child in node.get("Plans", ()))


def report(errors: dict[int, list[float]], worst: dict[str, float]) -> None:
    print(f"{'relations':>9} {'joins':>6} {'median':>9} {'p95':>9} {'max':>11}")
    for relations_joined, found in sorted(errors.items()):
        print_line(str(relations_joined), found)
    print_line("all", [error for found in errors.values() for error in found])
    for bound in (10, 100, 1000):
        count = sum(error >= bound for error in worst.values())
        print(f"queries with a join whose q-error is {bound} or more: {count} of {len(worst)}")


def print_line(label: str, found: list[float]) -> None:
    p95 = statistics.quantiles(found, n=20)[-1] if len(found) > 1 else found[0]
    median, largest = statistics.median(found), max(found)
    print(f"{label:>9} {len(found):6} {median:9.1f} {p95:9.1f} {largest:11.1f}")


if __name__ == "__main__":
    try:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else SYNTHETIC_SCALE)
    except psycopg.errors.QueryCanceled as error:
        sys.exit(f"a query took longer than {SETTINGS['statement_timeout']}: {error}")
