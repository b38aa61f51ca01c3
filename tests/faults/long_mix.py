"""A transaction mix that goes on for a minute, in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping

from llmtune.benchmark.pgbench_run import run_mix
from llmtune.postgres.pgbench import find_pgbench
from workloads.objective import THROUGHPUT
from workloads.workload import DataSet, Query, Table, Transaction, TransactionMix

SECONDS = 60
TABLE = Table("nothing", "CREATE TABLE nothing (x integer)", lambda: iter(()))
DATA_SET = DataSet("long-mix", "long", (TABLE,), (), 1 << 20)
KINDS = (Transaction("sleep", "SELECT pg_sleep(0.01) /* long mix */;"),)


def run_long_mix(environment: Mapping[str, str]) -> None:
    """Run it; whoever started this process ends it earlier."""
    explained = (Query("q", "SELECT 1", "q"),)
    mix = TransactionMix("long", KINDS, explained, DATA_SET, THROUGHPUT, 2, float(SECONDS))
    run_mix(find_pgbench(), mix, environment, SECONDS, 1, patience_s=10.0)
