"""A profile: what a suggester may see of a workload, taken without running it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from llmtune.errors import DatasetError, UnknownName, UsageError
from llmtune.knobs.hardware import Hardware
from llmtune.postgres.plan_work import FAMILY_NAMES, Visit, visits
from llmtune.postgres.planners import what_ifs
from llmtune.postgres.plans import PlanNode, planner_defaults
from llmtune.postgres.statistics import TableStatistics, table_statistics
from llmtune.postgres.target import Connection
from workloads.workload import AnyWorkload

_SCANS = ("seq_scan", "index_scan", "index_only_scan", "bitmap_scan")


@dataclass(frozen=True, slots=True)
class Scan:
    """How a query reads one table.

    Attributes:
        kind: `seq_scan`, `index_scan`, `index_only_scan` or `bitmap_scan`.
        loops: how often it is started; the probes of a nested loop.
        rows: that it returns, all executions and processes together.
    """

    table: str
    kind: str
    loops: float
    rows: float


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """What decides knobs in one query's plan.

    Attributes:
        total_cost: in the planner's cost units.
        workers: the most that any Gather plans.
        operators: count by family, without those that do not occur.
        sorts, hashes, aggregates: bytes that each sort, hash join's table and
            hashed aggregate wants to keep in one process, largest first.
    """

    total_cost: float
    workers: int
    operators: Mapping[str, int]
    sorts: tuple[float, ...]
    hashes: tuple[float, ...]
    aggregates: tuple[float, ...]
    scans: tuple[Scan, ...]


@dataclass(frozen=True, slots=True)
class QueryProfile:
    """One query of a profile."""

    query_id: str
    template: str
    weight: float
    features: PlanSummary

    @property
    def cost(self) -> float:
        """Its share in the workload's cost: weight times the planner's total cost."""
        return self.weight * self.features.total_cost


@dataclass(frozen=True, slots=True)
class Profile:
    """A workload on one hardware and server version, as a suggester sees it.

    Attributes:
        kind: `analytic` when every query only reads, else `mixed`.
        version: the server's major version.
        tables: of the whole data set, largest heap first.
    """

    kind: str
    hardware: Hardware
    version: int
    clients: int
    tables: tuple[TableStatistics, ...]
    queries: tuple[QueryProfile, ...]

    def mix(self, weights: Mapping[str, float]) -> Profile:
        """The profile of these queries with these weights; the rest is left out.

        Raises:
            UnknownName: a query id that the profile does not have.
            UsageError: no query, or a weight that is not positive.
        """
        known = {query.query_id: query for query in self.queries}
        for query_id, weight in weights.items():
            if query_id not in known:
                raise UnknownName("query", query_id, known)
            if not weight > 0:
                raise UsageError(f"weight of query {query_id} must be positive, not {weight}")
        if not weights:
            raise UsageError("a mix needs at least one query")
        queries = tuple(
            replace(q, weight=float(weights[q.query_id]))
            for q in self.queries
            if q.query_id in weights
        )
        return replace(self, queries=queries, kind=_kind(queries))

    def to_json(self) -> str:
        """One line of JSON that `from_json` reads back to an equal profile."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """Read what `to_json` wrote.

        Raises:
            DatasetError: `text` is not a profile.
        """
        try:
            return _profile(json.loads(text))
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"not a profile: {error!r}") from error


def profile_workload(
    connection: Connection,
    workload: AnyWorkload,
    hardware: Hardware,
    version: int,
    others: Sequence[Connection] = (),
) -> Profile:
    """Look at a workload through EXPLAIN and the table statistics; nothing is run.

    The plans are those of an untuned server, whatever this one's settings are:
    only then does a profile mean the same in training and in use.

    Args:
        others: further connections to the same database, which plan at the same time.

    Raises:
        QueryFailed: the server cannot plan a query.
    """
    untuned = planner_defaults(connection)
    (plans,) = what_ifs((connection, *others), [(untuned, workload.queries)])
    queries = tuple(
        QueryProfile(q.id, q.template, q.weight, summarize(plans[q.id])) for q in workload.queries
    )
    tables = table_statistics(connection)
    return Profile(_kind(queries), hardware, version, workload.clients, tables, queries)


def summarize(plan: PlanNode) -> PlanSummary:
    """Condense a plan to what decides knobs."""
    seen = list(visits(plan))
    counts = {name: sum(v.family == name for v in seen) for name in FAMILY_NAMES}
    return PlanSummary(
        total_cost=plan.total_cost,
        workers=max(v.node.workers for v in seen),
        operators={name: count for name, count in counts.items() if count},
        sorts=_memory(seen, "sort"),
        hashes=_memory(seen, "hash"),
        aggregates=_memory(seen, "hash_aggregate"),
        scans=tuple(_scan(v) for v in seen if v.family in _SCANS and v.node.relation),
    )


def _memory(seen: Iterable[Visit], family: str) -> tuple[float, ...]:
    wanted = (v.memory_bytes for v in seen if v.family == family)
    return tuple(sorted((size for size in wanted if size > 0), reverse=True))


def _scan(visit: Visit) -> Scan:
    rows = visit.output_rows * visit.divisor
    return Scan(visit.node.relation or "", visit.family, visit.loops, rows)


def _kind(queries: Iterable[QueryProfile]) -> str:
    writes = any("write" in query.features.operators for query in queries)
    return "mixed" if writes else "analytic"


def _profile(data: Mapping[str, Any]) -> Profile:
    return Profile(
        kind=data["kind"],
        hardware=Hardware(**data["hardware"]),
        version=data["version"],
        clients=data["clients"],
        tables=tuple(TableStatistics(**table) for table in data["tables"]),
        queries=tuple(_query(query) for query in data["queries"]),
    )


def _query(data: Mapping[str, Any]) -> QueryProfile:
    return QueryProfile(**{**data, "features": _summary(data["features"])})


def _summary(data: Mapping[str, Any]) -> PlanSummary:
    sizes = {name: tuple(data[name]) for name in ("sorts", "hashes", "aggregates")}
    return PlanSummary(**{**data, **sizes, "scans": tuple(Scan(**s) for s in data["scans"])})
