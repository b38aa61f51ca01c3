"""Plan features: one fixed-length float vector for each query under a configuration.

General over schemas: sizes are logarithms or shares of what the configuration
and the hardware give, and no table, query or template is named. The same plan
features under the default configuration come along as differences, so that a
surrogate can predict how a query's time changes rather than what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import log1p, log2

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.budget import Budget, budget
from llmtune.postgres.plan_effort import Tables, rows_worked, slowdown
from llmtune.postgres.plan_work import FAMILY_NAMES, Visit, visits
from llmtune.postgres.plans import PlanNode
from llmtune.postgres.statistics import TableStatistics

_PAGE = 8192
_INDEXED = ("index_scan", "index_only_scan", "bitmap_scan")


class PlanFeatures:
    """Feature vectors for the queries of one workload on one knob space.

    All vectors of equal `names` belong in one table, whatever their schema,
    hardware or server version.
    """

    def __init__(
        self,
        space: KnobSpace,
        tables: Iterable[TableStatistics],
        default_plans: Mapping[str, PlanNode],
    ) -> None:
        """Take the plans of all queries (by query id) under the default configuration."""
        self.space = space
        self._scales = [knob.catalogued for knob in space.knobs]
        self._tables = {table.name: table for table in tables}
        given = budget(space.default(), space)
        self._default_plans = dict(default_plans)
        self._defaults = {
            query_id: self._describe(plan, given) for query_id, plan in default_plans.items()
        }
        self._hardware = (log2(space.hardware.memory), float(space.hardware.cores))

    @property
    def names(self) -> tuple[str, ...]:
        """What each position of a vector means."""
        plan = tuple(_describe_names())
        return (
            *(f"plan.{name}" for name in plan),
            *(f"change.{name}" for name in plan),
            "change.shape",
            "hardware.memory",
            "hardware.cores",
            *(f"knob.{name}" for name in self.space.names),
        )

    def vector(
        self, query_id: str, plan: PlanNode, configuration: Configuration
    ) -> tuple[float, ...]:
        """The features of one query that gets `plan` under `configuration`.

        Raises:
            KeyError: no default plan was given for `query_id`.
        """
        return self._vector(query_id, plan, budget(configuration, self.space)) + self.positions(
            configuration
        )

    def table(
        self, plans: Mapping[str, PlanNode], configuration: Configuration
    ) -> list[tuple[float, ...]]:
        """One vector for each query of `plans`, in its order."""
        given = budget(configuration, self.space)
        positions = self.positions(configuration)
        return [self._vector(key, plan, given) + positions for key, plan in plans.items()]

    def positions(self, configuration: Configuration) -> tuple[float, ...]:
        """Each knob's position on the catalogue's scale, 0 to 1, in catalogue order."""
        return tuple(knob.position(configuration[knob.name]) for knob in self._scales)

    def _vector(self, query_id: str, plan: PlanNode, given: Budget) -> tuple[float, ...]:
        default = self._defaults[query_id]
        features = self._describe(plan, given)
        changes = (now - before for now, before in zip(features, default, strict=True))
        reshaped = float(plan.shape() != self._default_plans[query_id].shape())
        return (*features, *changes, reshaped, *self._hardware)

    def _describe(self, plan: PlanNode, given: Budget) -> tuple[float, ...]:
        return tuple(_describe(plan, given, self._tables).values())


def _describe(plan: PlanNode, given: Budget, tables: Tables) -> dict[str, float]:
    seen = list(visits(plan))
    return {
        "cost": log1p(plan.total_cost),
        "rows": log1p(plan.rows),
        "nodes": float(len(seen)),
        "disabled": float(sum(visit.node.disabled for visit in seen)),
        **_families(seen, given, tables),
        **_spills("sort", seen, given.sort_memory),
        **_spills("hash", seen, given.hash_memory),
        **_spills("hash_aggregate", seen, given.hash_memory),
        **_hash_batches(seen, given),
        **_parallelism(seen, given, plan.total_cost),
        **_full_scans(seen, given, tables),
        **_probes(seen, given, tables),
    }


def _describe_names() -> Iterable[str]:
    nothing = Budget(1, 1, 1, 1, 0, 1, 1)
    return _describe(PlanNode("Result", total_cost=0.0), nothing, {}).keys()


def _families(seen: list[Visit], given: Budget, tables: Tables) -> dict[str, float]:
    """How many operators of each family there are, and what they work through."""
    counts = dict.fromkeys(FAMILY_NAMES, 0.0)
    rows = dict.fromkeys(FAMILY_NAMES, 0.0)
    for visit in seen:
        counts[visit.family] += 1
        rows[visit.family] += rows_worked(visit, tables) * slowdown(visit, given)
    return {
        **{f"{name}.count": count for name, count in counts.items()},
        **{f"{name}.rows": log1p(total) for name, total in rows.items()},
    }


def _spills(family: str, seen: list[Visit], allowed: float) -> dict[str, float]:
    sizes = [visit.memory_bytes for visit in seen if visit.family == family]
    spilled = [
        visit.memory_bytes * visit.loops
        for visit in seen
        if visit.family == family and visit.memory_bytes > allowed
    ]
    return {
        f"{family}.demand": _ratio(max(sizes, default=0.0), allowed),
        f"{family}.total_demand": _ratio(sum(sizes), allowed),
        f"{family}.bytes": log1p(max(sizes, default=0.0)),
        f"{family}.spilling": float(len(spilled)),
        f"{family}.spilled": log1p(sum(spilled)),
    }


def _hash_batches(seen: list[Visit], given: Budget) -> dict[str, float]:
    """A hash join that needs batches writes and reads both of its sides."""
    written = 0.0
    for visit in seen:
        inner, outer = visit.node.child("Inner"), visit.node.child("Outer")
        if visit.family != "hash_join" or inner is None or outer is None:
            continue
        needed = Visit(inner, visit.node, 1.0, 0, 1.0).memory_bytes / given.hash_memory
        if needed > 1:
            written += (inner.bytes + outer.bytes) * visit.loops * (1 - 1 / needed)
    return {"batches.bytes": log1p(written), "batches.memory": _ratio(written, given.memory)}


def _parallelism(seen: list[Visit], given: Budget, cost: float) -> dict[str, float]:
    gathers = [visit.node for visit in seen if visit.node.workers and not visit.workers]
    planned = max((node.workers for node in gathers), default=0)
    shared = sum(visit.node.parallel_aware for visit in seen)
    return {
        "parallel.planned": float(planned),
        "parallel.started": float(min(planned, given.workers)),
        "parallel.speedup": given.speedup(planned),
        "parallel.share": min(1.0, sum(n.total_cost for n in gathers) / cost) if cost else 0.0,
        "parallel.aware": shared / len(seen),
    }


def _full_scans(seen: list[Visit], given: Budget, tables: Tables) -> dict[str, float]:
    """Bytes of the tables that are read whole, against every cache on their way."""
    scans = [(v, tables.get(v.node.relation or "")) for v in seen if v.family == "seq_scan"]
    sizes = [table.heap_bytes for _, table in scans if table]
    read = sum(t.heap_bytes * v.loops * slowdown(v, given) / v.divisor for v, t in scans if t)
    largest, total = max(sizes, default=0), sum(sizes)
    return {
        "read.bytes": log1p(read),
        "read.buffers": _ratio(total, given.shared_buffers),
        "read.cache": _ratio(total, given.effective_cache),
        "read.memory": _ratio(total, given.memory),
        "read.largest_buffers": _ratio(largest, given.shared_buffers),
        "read.past_buffers": float(sum(size > given.shared_buffers / 4 for size in sizes)),
    }


def _probes(seen: list[Visit], given: Budget, tables: Tables) -> dict[str, float]:
    """Scattered reads: index lookups, and what nested loops start over and over."""
    indexed = [visit for visit in seen if visit.family in _INDEXED]
    inner = [v.loops * slowdown(v, given) for v in seen if v.node.relationship == "Inner"]
    fetched = sum(visit.output_rows * visit.divisor for visit in indexed)
    touched = sum(_touched(visit, tables) for visit in indexed)
    return {
        "probes.inner": log1p(sum(inner)),
        "probes.largest": log1p(max(inner, default=0.0)),
        "probes.lookups": log1p(sum(visit.loops for visit in indexed)),
        "probes.rows": log1p(fetched),
        "probes.bytes": log1p(touched),
        "probes.buffers": _ratio(touched, given.shared_buffers),
        "probes.memory": _ratio(touched, given.memory),
    }


def _touched(visit: Visit, tables: Tables) -> float:
    """Bytes of different heap pages that an index scan reads: a page a row at most."""
    table = tables.get(visit.node.relation or "")
    pages = visit.output_rows * visit.divisor * _PAGE
    return min(pages, float(table.heap_bytes)) if table else pages


def _ratio(size: float, whole: float) -> float:
    """log2 of the share; what is less than 2^-12 of the whole makes no difference."""
    return log2(max(size / whole, 2.0**-12))
