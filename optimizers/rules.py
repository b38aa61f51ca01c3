"""The rule-based configuration: what an experienced hand sets before measuring.

The formulas are the widely used ones, as the calculator PGTune and the PostgreSQL wiki's
page "Tuning Your PostgreSQL Server" give them. They see hardware, storage, the type of
workload and the number of clients, and no query: a baseline that a tuner has to beat,
and can lose to the default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.memory import repair
from llmtune.knobs.space import KnobSpace, ResolvedKnob
from llmtune.knobs.storage import Storage

MIB = 1 << 20
KIB = 1 << 10
BLOCK = 8 * KIB


class WorkloadType(StrEnum):
    """The types of workload that the rules tell apart."""

    WAREHOUSE = "data warehouse"
    MIXED = "mixed"
    OLTP = "oltp"


RANDOM_PAGE_COST = {Storage.SSD: 1.1, Storage.HDD: 4.0, Storage.SAN: 1.1}
"""In pages read in order; that of rotating disks is PostgreSQL's own default."""

READS_UNDER_WAY = {Storage.SSD: 200, Storage.HDD: 2, Storage.SAN: 300}
"""Page reads that the storage serves at once."""

FREE_SHARE = 0.75
"""Of memory, for sorts and hashes: what shared_buffers leaves."""

NODES = 4
"""Sorts and hashes that each process is reckoned to have under way at once."""

CAUTION = {WorkloadType.WAREHOUSE: 2, WorkloadType.MIXED: 2, WorkloadType.OLTP: 1}
"""By how much less each sort or hash gets: the statements of transactions have few of them."""

LEAST_WORK_MEM = 4 * MIB
"""PostgreSQL's default."""

MOST_WORKERS = 4
"""Beside the leader that an index build may have, and a query that is none of a warehouse's."""

STATISTICS = {WorkloadType.WAREHOUSE: 500, WorkloadType.MIXED: 100, WorkloadType.OLTP: 100}
"""Detail that ANALYZE gathers: large queries are worth more planning."""

WAL_SIZES = {WorkloadType.MIXED: (1024, 4096), WorkloadType.OLTP: (2048, 8192)}
"""MiB of log that are kept for reuse, and that force a checkpoint."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the rules see."""

    hardware: Hardware
    clients: int
    workload: WorkloadType
    storage: Storage

    @property
    def memory(self) -> int:
        """Bytes of memory of the server."""
        return self.hardware.memory

    @property
    def workers(self) -> int:
        """Parallel workers beside the leader that one query may have."""
        half = max(1, self.hardware.cores // 2)
        return half if self.workload is WorkloadType.WAREHOUSE else min(MOST_WORKERS, half)

    @property
    def work_mem(self) -> float:
        """Bytes for one sort or hash: the free memory over all that may run at once."""
        at_once = self.clients * (1 + self.workers) * NODES
        share = FREE_SHARE * self.memory / at_once / CAUTION[self.workload]
        return max(LEAST_WORK_MEM, share)

    @property
    def wal_sizes(self) -> tuple[int, int]:
        """As `WAL_SIZES`; by memory for a data warehouse, which is only read here.

        PGTune gives that 4 and 16 GiB, for the sake of loading it.
        """
        if self.workload is WorkloadType.WAREHOUSE:
            return min(1024, self.memory // 16 // MIB), min(8192, self.memory // 4 // MIB)
        return WAL_SIZES[self.workload]


RULES: dict[str, Callable[[Situation], float]] = {
    "shared_buffers": lambda s: s.memory / 4 / BLOCK,
    "effective_cache_size": lambda s: s.memory * 0.75 / BLOCK,
    "work_mem": lambda s: s.work_mem / KIB,
    "maintenance_work_mem": lambda s: min(s.memory / 16, 2048 * MIB) / KIB,
    "max_worker_processes": lambda s: max(8, s.hardware.cores),
    "max_parallel_workers": lambda s: s.hardware.cores,
    "max_parallel_workers_per_gather": lambda s: s.workers,
    "max_parallel_maintenance_workers": lambda s: min(MOST_WORKERS, s.workers),
    "random_page_cost": lambda s: RANDOM_PAGE_COST[s.storage],
    "effective_io_concurrency": lambda s: READS_UNDER_WAY[s.storage],
    "default_statistics_target": lambda s: STATISTICS[s.workload],
    "checkpoint_completion_target": lambda _: 0.9,
    "checkpoint_timeout": lambda _: 900,
    "min_wal_size": lambda s: s.wal_sizes[0],
    "max_wal_size": lambda s: s.wal_sizes[1],
    "wal_buffers": lambda _: 16 * MIB / BLOCK,
}
"""Values in pg_settings' own units, before they are fitted to the knob's bounds."""


def rule_configuration(
    space: KnobSpace,
    clients: int = 1,
    workload: WorkloadType = WorkloadType.WAREHOUSE,
    storage: Storage = Storage.SSD,
) -> Configuration:
    """The rules' values for the knobs in `space`, all others at their default.

    The result is inside every knob's bounds and fits the server's memory.
    """
    situation = Situation(space.hardware, clients, workload, storage)
    changes = {
        name: _fitted(space[name], rule(situation)) for name, rule in RULES.items() if name in space
    }
    return repair(space.configuration(changes), space, clients)


def _fitted(knob: ResolvedKnob, value: float) -> Value:
    """`value` rounded to the knob's kind and moved inside its bounds."""
    return knob.rounded(min(max(value, knob.low), knob.high))
