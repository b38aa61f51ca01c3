"""Which knobs matter to the run of a plan: two runs under equal conditions take alike.

The planner's knobs act through the plan alone. Of the others each is a condition
only where an operator of the plan responds to it, and then by its exact value, or by
the part of it that the plan can use:

| knob | matters to | as |
|---|---|---|
| `work_mem` | sorts, materialised rows, bitmaps, window functions | its value, unless all fit |
| `hash_mem_multiplier` | hash joins, hashed aggregates, Memoize, SubPlans | hash memory, likewise |
| `max_parallel_workers` | Gather | up to the workers that are planned |
| `max_worker_processes` | Gather | up to these and the server's own |
| `parallel_leader_participation` | Gather | its value |
| `shared_buffers` | every scan | its level, unless the whole database stays in them |
| `effective_io_concurrency`, `io_*` | reads in streams, unless it stays there | its level |
| `jit*` | plans above `jit_above_cost` | on, and the cost that was compared |
| `join_collapse_limit`, `from_collapse_limit`, `geqo*` | planning of many relations | how many |
| `enable_*`, `*_cost`, sizes of parallel scans, `effective_cache_size` | the plan only | |
| maintenance, WAL, checkpoints, writers, autovacuum, statistics, `temp_buffers` | no reading | |

A knob that is in none of these rows counts by its value, and a query that writes has no
conditions: all of them matter to it. Sources: PostgreSQL's documentation, chapters
"Resource Consumption" and "Query Planning"; `read_stream.c` for which scans stream;
`initscan` of `heapam.c` for which tables go through a ring.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.space import KnobSpace, ResolvedKnob
from llmtune.postgres.budget import Budget, budget
from llmtune.postgres.plan_work import visits
from llmtune.postgres.plans import PlanNode

MISJUDGED = 8.0
"""Rows are often underestimated: what is this many times below a limit counts as under it."""

RING_SHARE = 0.25
"""A table above this share of shared buffers is read through a small ring, and not kept."""

OTHER_WORKERS = 2
"""Worker processes of the server's own: the launcher of logical replication, and one more."""

SOON_PLANNED = 6
"""Joins of so many relations are planned in a millisecond or two (docs/optimizers.md), whatever
the planner's limits spare it."""

ROW_BYTES = 24
BITMAP_BYTES = 80
"""Memory beside each kept row, and of each page in a bitmap (`tidbitmap.c`), about."""

PLANNER_ONLY = ("enable_*", "*_cost", "min_parallel_*_scan_size", "effective_cache_size",
                "max_parallel_workers_per_gather")  # fmt: skip
NOT_READING = ("maintenance_*", "max_parallel_maintenance_*", "temp_buffers",
               "default_statistics_target", "wal_*", "max_wal_size", "min_wal_size",
               "checkpoint_*", "bgwriter_*", "autovacuum*", "vacuum_*", "commit_*",
               "synchronous_commit", "fsync", "full_page_writes")  # fmt: skip
BY_RULE = ("work_mem", "hash_mem_multiplier", "shared_buffers", "max_parallel_workers",
           "max_worker_processes", "parallel_leader_participation", "effective_io_concurrency",
           "io_*", "jit*", "join_collapse_limit", "from_collapse_limit", "geqo",
           "geqo_threshold")  # fmt: skip

_SORTING = frozenset({"Sort", "Incremental Sort"})
_KEEPING = frozenset({"Materialize", "WindowAgg", "CTE Scan", "Function Scan", "Recursive Union",
                      "WorkTable Scan", "Table Function Scan"})  # fmt: skip
_HASHING = frozenset({"Hash", "Memoize"})
_STREAMING = frozenset({"Seq Scan", "Bitmap Heap Scan", "Sample Scan", "Tid Range Scan"})

Conditions = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class DataSize:
    """How much there is to read, in bytes.

    Attributes:
        database: of all tables and indexes together.
        tables: of each by its name, without its indexes.
    """

    database: float
    tables: Mapping[str, float]

    def kept_in(self, shared_buffers: float) -> frozenset[str]:
        """The tables that a scan of the whole leaves there, in so far as there is room."""
        limit = shared_buffers * RING_SHARE
        return frozenset(name for name, size in self.tables.items() if size <= limit)

    def stays_in(self, shared_buffers: float) -> bool:
        """Whether all of it is kept there once it was read."""
        fits = self.database <= shared_buffers
        return fits and len(self.kept_in(shared_buffers)) == len(self.tables)


def run_conditions(
    plan: PlanNode, configuration: Configuration, space: KnobSpace, data: DataSize
) -> Conditions:
    """What decides how long a reading query with this plan takes, to be compared for equality.

    Args:
        plan: the query's under `configuration`.
        configuration: complete and valid in `space`.
    """
    given = budget(configuration, space)
    stays = data.stays_in(given.shared_buffers)
    nodes = list(plan.walk())

    def value(name: str) -> Value | None:
        return configuration.get(name, space.surroundings.get(name))

    return (
        plan.fingerprint(),
        *_memory(plan, given),
        *_workers(nodes, value("max_parallel_workers"), value("max_worker_processes")),
        any(n.workers for n in nodes) and value("parallel_leader_participation"),
        *_reading(nodes, configuration, space, stays=stays),
        *_compiling(plan, configuration),
        *_planning(nodes, configuration),
        *((name, configuration[name]) for name in space.names if not known(name)),
    )


def known(name: str) -> bool:
    """Whether this table says what a knob does to a reading query."""
    patterns = (*PLANNER_ONLY, *NOT_READING, *BY_RULE)
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _memory(plan: PlanNode, given: Budget) -> tuple[object, object]:
    """Sort and hash memory by value, or True where all that the plan keeps is sure to fit."""
    kept = max((_kept_bytes(node) for node in plan.walk()), default=0.0)
    aggregated = (v.memory_bytes for v in visits(plan) if v.family == "hash_aggregate")
    hashed = max([*aggregated, *(_hashed_bytes(node) for node in plan.walk())])
    return (
        kept * MISJUDGED <= given.sort_memory or given.sort_memory,
        hashed * MISJUDGED <= given.hash_memory or given.hash_memory,
    )


def _kept_bytes(node: PlanNode) -> float:
    if node.kind == "Bitmap Heap Scan":
        return node.rows * BITMAP_BYTES
    if node.kind in _SORTING or node.kind in _KEEPING:
        return node.rows * (node.width + ROW_BYTES)
    return 0.0


def _hashed_bytes(node: PlanNode) -> float:
    """Of a hash table, and of a SubPlan, whose result may be hashed."""
    hashed = node.kind in _HASHING or node.relationship == "SubPlan"
    return node.rows * (node.width + ROW_BYTES) if hashed else 0.0


def _workers(nodes: Sequence[PlanNode], parallel: Value | None, all_: Value | None) -> Conditions:
    """How far both limits let the planned workers start; all Gathers may run at once."""
    planned = sum(node.workers for node in nodes)
    if not planned:
        return ()
    return min(planned, int(parallel or 0)), min(planned + OTHER_WORKERS, int(all_ or 0))


def _reading(
    nodes: Iterable[PlanNode], configuration: Configuration, space: KnobSpace, *, stays: bool
) -> Conditions:
    """Shared buffers, and the I/O knobs where something is read past them in streams."""
    if stays:
        return (True,)
    streams = any(node.kind in _STREAMING for node in nodes)
    patterns = ("shared_buffers", *(("effective_io_concurrency", "io_*") if streams else ()))
    return tuple(
        (knob.name, _level(knob, configuration[knob.name]))
        for knob in space.knobs
        if any(fnmatchcase(knob.name, pattern) for pattern in patterns)
    )


def _level(knob: ResolvedKnob, value: Value) -> object:
    """The nearest level on the knob's scale: what lies between two is taken for no difference."""
    if knob.knob.choices or value in knob.specials:
        return value
    return round(knob.fraction(value) * (knob.knob.levels - 1))


def _compiling(plan: PlanNode, configuration: Configuration) -> Conditions:
    """The cost decides on compiling, and again on how hard to optimise."""
    knobs = tuple(item for item in configuration.items() if item[0].startswith("jit"))
    below = plan.total_cost < float(configuration.get("jit_above_cost", 0.0))
    if not knobs or configuration.get("jit") is False or below:
        return ()
    return (*knobs, plan.total_cost)


def _planning(nodes: Sequence[PlanNode], configuration: Configuration) -> Conditions:
    """How hard the planner worked for this plan: what its limits make of its relations."""
    relations = sum("Scan" in node.kind for node in nodes)
    if relations <= SOON_PLANNED:
        return ()
    limits = ("join_collapse_limit", "from_collapse_limit", "geqo_threshold")
    clipped = (min(relations, int(configuration.get(name, 0))) for name in limits)
    threshold = int(configuration.get("geqo_threshold", 0))
    genetic = relations >= threshold and configuration.get("geqo")
    return (*clipped, genetic)
