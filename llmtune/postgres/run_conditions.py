"""Which knobs matter to the run of a plan: two runs under equal conditions take alike.

The planner's knobs act through the plan alone. Of the others each is a condition
only where an operator of the plan responds to it, and then by its exact value, or by
the part of it that the plan can use:

| knob | matters to | as |
|---|---|---|
| `work_mem` | sorts, also within aggregates, materialised rows, bitmaps, window functions \
| its value, unless all fit |
| `hash_mem_multiplier` | hash joins, hashed aggregates, Memoize, SubPlans | hash memory, likewise |
| `max_parallel_workers` | Gather | up to the workers that are planned |
| `max_worker_processes` | Gather | up to these and the server's own |
| `parallel_leader_participation` | Gather | its value |
| `shared_buffers` | every scan | its level, and which scanned tables it keeps, unless the \
whole database stays in them |
| `effective_io_concurrency`, `io_*` | reads in streams, unless it stays there | its level |
| `jit*` | plans above `jit_above_cost` | on, and the cost that was compared |
| `join_collapse_limit`, `from_collapse_limit` | planning of many relations | how many |
| `geqo*` | planning | whether it searches; beyond what-if's complete search, all knobs |
| `enable_*`, `*_cost`, sizes of parallel scans, `effective_cache_size` | the plan only | |
| maintenance, WAL, checkpoints, writers, autovacuum, statistics, `temp_buffers` | no reading | |

A knob that is in none of these rows counts by its value, and a query that writes has no
conditions: all of them matter to it. Sources: PostgreSQL's documentation, chapters
"Resource Consumption" and "Query Planning"; `read_stream.c` for which scans stream;
`initscan` of `heapam.c` for which tables go through a ring.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.space import KnobSpace, ResolvedKnob
from llmtune.postgres.budget import Budget, budget
from llmtune.postgres.data_size import DataSize
from llmtune.postgres.plan_work import visits
from llmtune.postgres.plans import PlanNode
from llmtune.postgres.what_if_plans import MOST_BY_FORCE

MISJUDGED = 8.0
"""Rows are often underestimated: what is this many times below a limit counts as under it."""

OTHER_WORKERS = 2
"""Worker processes of the server's own: the launcher of logical replication, and one more."""

SOON_PLANNED = 6
"""A complete search among so many relations takes 1.4 ms (docs/optimizers.md), so that it does
not count what the collapse limits spare of it."""

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


def run_conditions(
    plan: PlanNode,
    configuration: Configuration,
    space: KnobSpace,
    data: DataSize,
    *,
    sorts_within: bool = False,
) -> Conditions:
    """What decides how long a reading query with this plan takes, to be compared for equality.

    Args:
        plan: the query's under `configuration`.
        configuration: complete and valid in `space`.
        sorts_within: its aggregates may sort their rows, which no node of the plan tells.
    """
    given = budget(configuration, space)
    nodes = list(plan.walk())

    def value(name: str) -> Value | None:
        return configuration.get(name, space.surroundings.get(name))

    return (
        plan.fingerprint(),
        *_memory(nodes, given, sorts_within=sorts_within),
        *_workers(nodes, value("max_parallel_workers"), value("max_worker_processes")),
        any(n.workers for n in nodes) and value("parallel_leader_participation"),
        *_reading(nodes, configuration, space, data, given),
        *_compiling(plan, configuration),
        *_planning(nodes, {**space.surroundings, **configuration}, configuration),
        *((name, configuration[name]) for name in space.names if not known(name)),
    )


def known(name: str) -> bool:
    """Whether this table says what a knob does to a reading query."""
    patterns = (*PLANNER_ONLY, *NOT_READING, *BY_RULE)
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _memory(nodes: Sequence[PlanNode], given: Budget, *, sorts_within: bool) -> Conditions:
    """Sort and hash memory by value, or True where all that the plan keeps is sure to fit."""
    sorted_within = (_input_bytes(node) for node in nodes if sorts_within)
    kept = max([*map(_kept_bytes, nodes), *sorted_within])
    aggregated = (v.memory_bytes for v in visits(nodes[0]) if v.family == "hash_aggregate")
    hashed = max([*aggregated, *map(_hashed_bytes, nodes)])
    return (
        kept * MISJUDGED <= given.sort_memory or given.sort_memory,
        hashed * MISJUDGED <= given.hash_memory or given.hash_memory,
    )


def _kept_bytes(node: PlanNode) -> float:
    if node.kind == "Bitmap Index Scan":
        return node.rows * BITMAP_BYTES
    if node.kind in _SORTING or node.kind in _KEEPING:
        return node.rows * (node.width + ROW_BYTES)
    return 0.0


def _input_bytes(node: PlanNode) -> float:
    """Of an aggregate: what it sorts if it does; a hashed one with DISTINCT cannot be."""
    below = node.child("Outer") if node.kind == "Aggregate" else None
    return 0.0 if below is None else below.rows * (below.width + ROW_BYTES)


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
    nodes: Iterable[PlanNode],
    configuration: Configuration,
    space: KnobSpace,
    data: DataSize,
    given: Budget,
) -> Conditions:
    """Shared buffers, and the I/O knobs where something is read past them in streams."""
    if data.stays_in(given.shared_buffers):
        return (True,)
    streams = [node.relation for node in nodes if node.kind in _STREAMING]
    patterns = ("shared_buffers", *(("effective_io_concurrency", "io_*") if streams else ()))
    levels = (
        (knob.name, _level(knob, configuration[knob.name]))
        for knob in space.knobs
        if any(fnmatchcase(knob.name, pattern) for pattern in patterns)
    )
    return (data.kept_in(given.shared_buffers) & set(streams), *levels)


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


def _planning(
    nodes: Sequence[PlanNode], values: Mapping[str, Value], configuration: Configuration
) -> Conditions:
    """How hard the planner worked for this plan: what its limits make of its relations."""
    relations = sum("Scan" in node.kind for node in nodes)
    threshold = int(values.get("geqo_threshold", MOST_BY_FORCE))
    genetic = relations >= threshold and bool(values.get("geqo", True))
    if relations >= MOST_BY_FORCE and not genetic:
        return (configuration,)  # the plan at hand is not the one that the server would make
    if relations <= SOON_PLANNED:
        return (genetic,)
    limits = ("join_collapse_limit", "from_collapse_limit")
    clipped = (min(relations, int(values.get(name, 0))) for name in limits)
    return (*clipped, genetic)
