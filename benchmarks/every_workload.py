"""Load and run every workload once at its default scale, and print what that gave.

    python benchmarks/every_workload.py [--only NAME ...] [--again] [--results FILE] [--page FILE]

Each workload's figures are kept in the results file as soon as it is done; called
again, the script goes on with those that are missing. The table goes into the page
between its two marks.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import psycopg
from psycopg import sql

from llmtune.benchmark.queries import run_query
from llmtune.benchmark.transactions import TransactionBenchmark
from llmtune.errors import LLMTuneError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.space import resolve_space
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.load import database_name, ensure_loaded
from llmtune.postgres.planners import USUAL_TABLES, planners
from llmtune.postgres.profile import profile_workload
from llmtune.postgres.synthesis import synthesize
from llmtune.postgres.target import Connection
from llmtune.trial import TrialStatus
from llmtune.units import format_memory
from workloads import registry
from workloads.workload import AnyWorkload, DataSet, TransactionMix, Workload

QUERY_TIMEOUT_S = 300.0
SYNTHESIZED, SYNTHESIZED_OVER, QUERIES = "synthesized", "tpch", 30
JOINS = ("Nested Loop", "Hash Join", "Merge Join")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True)
class Figures:
    """What one workload gave.

    Attributes:
        profile_s: of EXPLAIN and statistics for all its queries, once connected.
        run_s: all queries once, warm, each under the time limit; None of a mix.
        rate: transactions a second, of a mix.
        joins: join nodes of all plans that were executed.
        q_error_median, q_error_max: of their row estimates.
        failures: the queries that did not end well, or why nothing was measured.
    """

    name: str
    data_set: str = ""
    rows: int = 0
    load_s: float = 0.0
    queries: int = 0
    profile_s: float = 0.0
    run_s: float | None = None
    rate: float | None = None
    joins: int = 0
    q_error_median: float | None = None
    q_error_max: float | None = None
    failures: tuple[str, ...] = ()


class Results:
    """Figures by workload in a file, written after each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        kept = json.loads(path.read_text()) if path.exists() else {}
        self.figures = {
            name: Figures(**{**one, "failures": tuple(one["failures"])})
            for name, one in kept.items()
        }

    def add(self, figures: Figures) -> None:
        self.figures[figures.name] = figures
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps({n: asdict(f) for n, f in self.figures.items()}, indent=1))
        partial.replace(self._path)


def main(arguments: Sequence[str]) -> None:
    options = _options(arguments)
    results = Results(options.results)
    wanted = [
        name for name in options.only or runnable() if options.again or name not in results.figures
    ]
    with EmbeddedTarget() as target:
        bench = Bench(target)
        for name in wanted:
            print(f"{name} ...", file=sys.stderr, flush=True)
            figures = bench.measured(name)
            results.add(figures)
            print(row(figures), flush=True)
        machine = describe(target)
    shown = [results.figures[name] for name in runnable() if name in results.figures]
    text = "\n".join([machine, "", *table(shown)])
    print(text)
    if options.page.exists():
        options.page.write_text(with_table(options.page.read_text(), text))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", choices=runnable(), metavar="NAME")
    parser.add_argument("--again", action="store_true", help="measure what is measured already")
    parser.add_argument("--results", type=Path, default=Path("out/workloads.json"))
    parser.add_argument("--page", type=Path, default=Path("docs/workloads.md"))
    return parser.parse_args(arguments)


def runnable() -> list[str]:
    """Every workload that brings its data, and synthesized ones over TPC-H's."""
    return [entry.name for entry in registry.entries() if entry.build] + [SYNTHESIZED]


class Bench:
    """Loads each data set once, and measures workloads over it."""

    def __init__(self, target: EmbeddedTarget) -> None:
        self._target = target
        self._load_s: dict[str, float] = {}

    def measured(self, name: str) -> Figures:
        """The figures of one workload; what goes wrong is one of them."""
        try:
            return self._measured(name)
        except (LLMTuneError, psycopg.Error) as error:
            return Figures(name, failures=(" ".join(str(error).split()),))

    def _measured(self, name: str) -> Figures:
        of_data = registry.workload(SYNTHESIZED_OVER if name == SYNTHESIZED else name)
        assert isinstance(of_data.data_set, DataSet)
        database = self._loaded(of_data.data_set)
        workload: AnyWorkload = of_data
        with self._target.connect(database) as connection:
            if name == SYNTHESIZED:
                made = synthesize(connection, of_data.data_set, QUERIES, seed=1)
                workload = made.workload
            rows = count_rows(connection)
        profile_s = self._profile_seconds(workload, database)
        load_s, queries = self._load_s[database], len(workload.queries)
        common = Figures(name, of_data.data_set.name, rows, load_s, queries, profile_s)
        if isinstance(workload, TransactionMix):
            trial = self._transactions(workload, database)
            failures = () if trial.status is TrialStatus.SUCCEEDED else (trial.message,)
            return replace(common, rate=trial.value, failures=failures)
        return self._queries(common, workload, database)

    def _loaded(self, data_set: DataSet) -> str:
        """Its database, loaded afresh when this process did not do so yet."""
        database = database_name(data_set)
        if database not in self._load_s:
            with self._target.connect() as control:
                control.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'.encode())
            start = perf_counter()
            ensure_loaded(self._target, data_set)
            self._load_s[database] = perf_counter() - start
        return database

    def _profile_seconds(self, workload: AnyWorkload, database: str) -> float:
        target = self._target
        with planners(target, database, USUAL_TABLES * len(workload.queries)) as (
            connection,
            *others,
        ):
            start = perf_counter()
            profile_workload(connection, workload, target.hardware, target.version, others)
            return perf_counter() - start

    def _transactions(self, mix: TransactionMix, database: str) -> Any:
        target = self._target
        space = resolve_space(load_catalogue(), target.version, target.hardware)
        benchmark = TransactionBenchmark(target, space, mix, database)
        return benchmark.measure(space.default(), number=0, source="default")

    def _queries(self, common: Figures, workload: Workload, database: str) -> Figures:
        """A pass that looks at estimates, which also warms, then the timed one."""
        errors: list[float] = []
        failures, seconds = [], 0.0
        with self._target.connect(database) as connection:
            for query in workload.queries:
                errors += q_errors(connection, query.sql)
                outcome = run_query(connection, query, QUERY_TIMEOUT_S)
                seconds += outcome.seconds
                if outcome.status is not TrialStatus.SUCCEEDED:
                    failures.append(f"{query.id}: {outcome.message}")
        return replace(
            common,
            run_s=seconds,
            joins=len(errors),
            q_error_median=median(errors) if errors else None,
            q_error_max=max(errors, default=None),
            failures=tuple(failures),
        )


def count_rows(connection: Connection) -> int:
    names = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE relkind = 'r' AND nspname = 'public'"
    ).fetchall()
    count = sql.SQL("SELECT count(*) FROM {}")
    counts = (connection.execute(count.format(sql.Identifier(name))) for (name,) in names)
    return sum(row[0] for found in counts for row in found.fetchall())


def q_errors(connection: Connection, statement: str) -> list[float]:
    """How many times each join's row estimate is off, from a run under the time limit.

    Estimated and real rows are both of one execution in one process; fewer than one
    row counts as one. Nodes that a limit ended early look worse than they are.
    """
    explain = "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "
    try:
        connection.execute(f"SET statement_timeout = {int(QUERY_TIMEOUT_S * 1000)}".encode())
        found = connection.execute((explain + statement).encode(), prepare=False).fetchone()
    except psycopg.errors.QueryCanceled:
        return []  # the timed run tells
    assert found is not None
    nodes = (node for node in walk(found[0][0]["Plan"]) if node["Node Type"] in JOINS)
    return [
        max(estimated / real, real / estimated)
        for node in nodes
        if node["Actual Loops"]
        for estimated, real in [(max(node["Plan Rows"], 1), max(node["Actual Rows"], 1))]
    ]


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    yield from chain.from_iterable(walk(child) for child in node.get("Plans", ()))


COLUMNS = (
    "workload",
    "data set",
    "rows",
    "load",
    "queries",
    "profile",
    "run",
    "joins",
    "q-error median",
    "q-error max",
    "failures",
)


def row(figures: Figures) -> str:
    """One line of the table."""
    run = ""
    if figures.run_s is not None:
        run = f"{figures.run_s:.2f} s"
    elif figures.rate is not None:
        run = f"{figures.rate:,.0f} tps"
    cells = (
        figures.name,
        figures.data_set,
        f"{figures.rows:,}",
        f"{figures.load_s:.1f} s",
        str(figures.queries),
        f"{figures.profile_s:.2f} s",
        run,
        str(figures.joins or ""),
        "" if figures.q_error_median is None else f"{figures.q_error_median:,.1f}",
        "" if figures.q_error_max is None else f"{figures.q_error_max:,.0f}",
        "; ".join(figures.failures).replace("|", "/") or "none",
    )
    return f"| {' | '.join(cells)} |"


def table(figures: Sequence[Figures]) -> list[str]:
    head = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    return [*head, *map(row, figures)]


def describe(target: EmbeddedTarget) -> str:
    hardware = target.hardware
    return (
        f"PostgreSQL {target.version} on {hardware.cores} cores of {platform.machine()} with "
        f"{format_memory(hardware.memory)}; load average at the end {os.getloadavg()[0]:.1f}."
    )


def with_table(page: str, text: str) -> str:
    """The page with the text between its marks."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


if __name__ == "__main__":
    main(sys.argv[1:])
