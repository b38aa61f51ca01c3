"""Plans from EXPLAIN: what the server would do, without running anything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import psycopg

from llmtune.errors import QueryFailed, TargetError
from llmtune.postgres.target import Connection
from llmtune.units import format_memory
from workloads.workload import Query

LARGEST_RESULT = 256 << 20
"""Bytes that a query may be expected to return. Its rows are held all at once while its time
is taken, where an application may read them piece by piece."""

_ESTIMATES = frozenset(
    {"Plans", "Total Cost", "Startup Cost", "Plan Rows", "Plan Width", "Disabled"}
)
"""What EXPLAIN says of a node that does not change how it is executed."""


@dataclass(frozen=True, slots=True)
class PlanNode:
    """One node of a plan with all that lies below it.

    Attributes:
        kind: EXPLAIN's node type, such as `Hash Join`.
        total_cost: in the planner's cost units, children included.
        rows: estimated rows that leave the node, for one execution in one process.
        width: estimated bytes of one such row.
        relationship: how the parent uses it: Outer, Inner, SubPlan, InitPlan, Member ...
        relation: the table that a scan reads, None for any other node.
        strategy: of an Aggregate or SetOp: Plain, Sorted, Hashed or Mixed.
        workers: what a Gather would launch, otherwise 0.
        parallel_aware: whether the processes share this node's work.
        disabled: an `enable_*` switch forbids the node, but nothing else would do.
        condition: of an index scan, what it looks up; empty when it reads the whole index.
        filtered: rows are read and dropped again.
        details: a digest of whatever else EXPLAIN says of the node but its estimates:
            aliases, conditions, keys, join types.
    """

    kind: str
    total_cost: float
    startup_cost: float = 0.0
    rows: float = 1.0
    width: int = 0
    relationship: str | None = None
    relation: str | None = None
    index: str | None = None
    strategy: str | None = None
    workers: int = 0
    parallel_aware: bool = False
    disabled: bool = False
    children: tuple[PlanNode, ...] = ()
    condition: str = field(default="", compare=False, repr=False)
    filtered: bool = field(default=False, compare=False, repr=False)
    details: str = field(default="", compare=False, repr=False)

    @property
    def bytes(self) -> float:
        """Estimated bytes of the rows that leave the node."""
        return self.rows * self.width

    def child(self, relationship: str) -> PlanNode | None:
        """The first child of this relationship, None when there is none."""
        return next((c for c in self.children if c.relationship == relationship), None)

    def walk(self) -> Iterator[PlanNode]:
        """This node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def tables_read(self) -> int:
        """Scans of a table in this plan."""
        return sum(node.relation is not None for node in self.walk())

    def shape(self) -> tuple[object, ...]:
        """What is done, without how much of it: equal shapes run the same operators."""
        own = (self.kind, self.strategy, self.relation, self.index, self.workers)
        return (*own, self.parallel_aware, *(child.shape() for child in self.children))

    def fingerprint(self) -> tuple[object, ...]:
        """All but the estimates: plans that agree in it are one plan, executed alike."""
        own = (self.kind, self.relationship, self.relation, self.index, self.workers)
        return (*own, self.details, *(child.fingerprint() for child in self.children))


def parse_plan(node: Mapping[str, Any]) -> PlanNode:
    """Read one `Plan` object of EXPLAIN (FORMAT JSON), as its documentation describes it."""
    return PlanNode(
        kind=node["Node Type"],
        total_cost=float(node["Total Cost"]),
        startup_cost=float(node["Startup Cost"]),
        rows=float(node["Plan Rows"]),
        width=int(node["Plan Width"]),
        relationship=node.get("Parent Relationship"),
        relation=node.get("Relation Name"),
        index=node.get("Index Name"),
        strategy=node.get("Strategy"),
        workers=int(node.get("Workers Planned", 0)),
        parallel_aware=bool(node.get("Parallel Aware", False)),
        disabled=bool(node.get("Disabled", False)),
        children=tuple(parse_plan(child) for child in node.get("Plans", ())),
        condition=node.get("Index Cond", ""),
        filtered="Filter" in node,
        details=_digest({name: node[name] for name in node.keys() - _ESTIMATES}),
    )


def _digest(details: Mapping[str, Any]) -> str:
    return blake2b(json.dumps(details, sort_keys=True).encode(), digest_size=8).hexdigest()


def explain(connection: Connection, sql: str) -> PlanNode:
    """The plan that one statement would get on this connection; nothing is run.

    Raises:
        psycopg.Error: the server cannot plan the statement.
    """
    statement = b"EXPLAIN (FORMAT JSON) " + sql.strip().rstrip(";").encode()
    row = connection.execute(statement, prepare=False).fetchone()
    if row is None:
        raise TargetError("the server answered EXPLAIN with nothing")
    return parse_plan(row[0][0]["Plan"])


def not_planned(error: psycopg.Error) -> str:
    """Why the server does not plan a statement, but not where: that is within our EXPLAIN."""
    said = (error.diag.message_primary, error.diag.message_hint)
    return "; hint: ".join(filter(None, said)) or str(error).strip()


def too_large(plan: PlanNode) -> str:
    """Why a query of this plan is not to be run for the size of its result; else empty."""
    if plan.bytes <= LARGEST_RESULT:
        return ""
    return (
        f"by its plan it returns {plan.rows:,.0f} rows, {format_memory(int(plan.bytes))}, and a "
        f"result of over {format_memory(LARGEST_RESULT)} is not read into memory"
    )


def what_if(
    connection: Connection, settings: Mapping[str, str], queries: Iterable[Query]
) -> dict[str, PlanNode]:
    """The plan of each query (by its id) if these session settings were in force.

    The settings live in a transaction that is rolled back, so the connection
    keeps its own whatever happens.

    Raises:
        QueryFailed: the server cannot plan a query.
        TargetError: the server refuses a setting in a session.
    """
    with connection.transaction(force_rollback=True):
        set_locally(connection, settings)
        return {query.id: _explain_query(connection, query) for query in queries}


def planner_defaults(connection: Connection) -> dict[str, str]:
    """The server's built-in values of all settings that can change a plan in a session.

    Given to `what_if` they show the plans of an untuned server, however this
    server is set at the moment.
    """
    rows = connection.execute(
        "SELECT name, boot_val FROM pg_settings WHERE context = 'user' AND boot_val IS NOT NULL"
        " AND (category LIKE 'Query Tuning%'"
        " OR category IN ('Resource Usage / Memory', 'Resource Usage / Worker Processes',"
        " 'Resource Usage / Asynchronous Behavior'))"
        " AND name NOT IN ('temp_buffers', 'geqo_seed')"
        " AND setting IS DISTINCT FROM boot_val"
    ).fetchall()
    return dict(rows)


def set_locally(connection: Connection, settings: Mapping[str, str]) -> None:
    """Put session settings in force until the connection's transaction ends.

    Raises:
        TargetError: the server refuses one in a session.
    """
    try:
        connection.execute(
            "SELECT set_config(s.name, s.value, true)"
            " FROM unnest(%s::text[], %s::text[]) AS s (name, value)",
            (list(settings), list(settings.values())),
        )
    except psycopg.Error as error:
        raise TargetError(f"cannot plan under other settings: {error}") from error


def _explain_query(connection: Connection, query: Query) -> PlanNode:
    try:
        return explain(connection, query.sql)
    except psycopg.Error as error:
        raise QueryFailed(query.id, not_planned(error), query.place) from error
