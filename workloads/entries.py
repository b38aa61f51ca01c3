"""What is registered: a line for people and a builder for each workload.

A new workload is a folder with a builder, and one entry here. Builders import their
folder when they are called, so that listing the workloads loads none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from workloads.options import WorkloadOptions
from workloads.workload import AnyWorkload

Build = Callable[[WorkloadOptions], AnyWorkload]

GENERATED = ("scale", "leave_out", "query_timeout_s", "raw_times")
"""Options of queries over generated data."""

TRANSACTIONS = ("scale", "clients", "duration_s", "objective")
"""Options of transaction mixes."""

OWN = ("data_set", "scale", "database", "leave_out", "query_timeout_s", "raw_times")
"""Options of queries over whatever data the user names."""


@dataclass(frozen=True, slots=True)
class WorkloadEntry:
    """One workload that can be asked for by name.

    Attributes:
        summary: one line on what it runs.
        needs: one line on what it takes: data files, extensions, disk at scale 1.
        scale: the scale factor when none is given; None where the user brings the data.
        takes: fields of `WorkloadOptions` that mean something to it; a seed always does.
        build: None when only a running server can tell what the queries are.
        published: results are compared by its fixed queries, so that a command draws
            others only when asked to.
    """

    name: str
    summary: str
    needs: str
    scale: float | None
    takes: tuple[str, ...]
    build: Build | None
    published: bool = False


def _builder(module: str, function: str, *first: object) -> Build:
    """Calls `function` of `module` with `first` and the options; imports it only then."""

    def build(options: WorkloadOptions) -> AnyWorkload:
        return cast("AnyWorkload", getattr(import_module(module), function)(*first, options))

    return build


def _tpch(options: WorkloadOptions) -> AnyWorkload:
    from workloads.tpch import tpch_workload

    return tpch_workload(TPCH_SCALE if options.scale is None else options.scale, options.seed)


TPCH_SCALE = 0.1

SQL_FILES = WorkloadEntry(
    name="FILE.sql or FOLDER",
    summary="your own queries, from a file or from all files below a folder",
    needs="the target's own database, or another workload's data by --data-set",
    scale=None,
    takes=(*OWN, "writes"),
    build=None,
)
"""Not asked for by this name, but by a path."""

QUERIES = (
    WorkloadEntry(
        name="tpch",
        summary="TPC-H: 22 decision support queries over eight tables",
        needs="nothing; the data are generated, 1.9 GB at scale 1",
        scale=TPCH_SCALE,
        takes=GENERATED,
        build=_tpch,
    ),
    WorkloadEntry(
        name="ssb",
        summary="Star Schema Benchmark: 13 queries over a fact table and four dimensions",
        needs="nothing; the data are generated, 1.5 GB at scale 1",
        scale=0.1,
        takes=GENERATED,
        build=_builder("workloads.ssb", "ssb_workload"),
    ),
    WorkloadEntry(
        name="job",
        summary="Join Order Benchmark: 113 queries of up to 17 joins over the IMDb",
        needs="nothing: a synthetic IMDb is generated, 8 GB at scale 1; or the real one by --data",
        scale=0.03,
        takes=(*GENERATED, "data", "database"),
        build=_builder("workloads.job", "job_workload"),
        published=True,
    ),
)

_YCSB = {
    "a": "half reads, half updates of single records",
    "b": "95% reads, 5% updates of single records",
    "c": "reads of single records",
    "d": "95% reads of the latest records, 5% inserts",
    "e": "95% short scans, 5% inserts",
    "f": "half reads, half reads with an update of the same record",
}

MIXES = (
    WorkloadEntry(
        name="tpcb",
        summary="TPC-B as pgbench has it: short updates at bank branches",
        needs="pgbench; the data are generated, 15 MB at scale 1",
        scale=10.0,
        takes=TRANSACTIONS,
        build=_builder("workloads.oltp", "tpcb_workload"),
    ),
    *(
        WorkloadEntry(
            name=f"ycsb-{letter}",
            summary=f"YCSB {letter.upper()}: {does}",
            needs="pgbench; the data are generated, 1.2 GB at scale 1",
            scale=0.1,
            takes=TRANSACTIONS,
            build=_builder("workloads.oltp", "ycsb_workload", letter),
        )
        for letter, does in _YCSB.items()
    ),
    WorkloadEntry(
        name="smallbank",
        summary="SmallBank: six short transactions on savings and checking accounts",
        needs="pgbench; the data are generated, 260 MB at scale 1",
        scale=1.0,
        takes=TRANSACTIONS,
        build=_builder("workloads.oltp", "smallbank_workload"),
    ),
    WorkloadEntry(
        name="tpcc",
        summary="like TPC-C: its five transactions with their weights, at warehouses",
        needs="pgbench; the data are generated, 125 MB for each warehouse",
        scale=4.0,
        takes=TRANSACTIONS,
        build=_builder("workloads.oltp", "tpcc_workload"),
    ),
)

LIVE = (
    WorkloadEntry(
        name="synthesized",
        summary="new analytic queries, drawn from the schema and statistics of any database",
        needs="a database of yours, or another workload's data by --data-set",
        scale=None,
        takes=(*OWN, "queries"),
        build=None,
    ),
    WorkloadEntry(
        name="captured",
        summary="the heaviest statements of your database, with real values in them",
        needs="a live server with pg_stat_statements; its statement log by --data helps",
        scale=None,
        takes=("data", "database", "writes", "leave_out", "query_timeout_s", "raw_times"),
        build=None,
    ),
)

ENTRIES = (*QUERIES, *MIXES, *LIVE)
"""Every workload with a name, in the order in which they are listed."""
