"""How much work each node of a plan is: executions, processes, rows and memory.

EXPLAIN states rows and costs for one execution in one process. What a query
costs depends on how often a node runs and in how many processes, which has to
be worked out from where the node stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from llmtune.postgres.plans import PlanNode

_ROW_OVERHEAD = MappingProxyType({"Sort": 24, "Hash": 40, "Aggregate": 64, "SetOp": 64})
"""Bytes that PostgreSQL's executor keeps beside each row (its `costsize.c`,
`nodeHash.c` and `nodeAgg.c`, rounded)."""

FAMILIES = MappingProxyType(
    {
        "Seq Scan": "seq_scan",
        "Sample Scan": "seq_scan",
        "Index Scan": "index_scan",
        "Index Only Scan": "index_only_scan",
        "Bitmap Heap Scan": "bitmap_scan",
        "Nested Loop": "nested_loop",
        "Hash Join": "hash_join",
        "Merge Join": "merge_join",
        "Sort": "sort",
        "Incremental Sort": "incremental_sort",
        "Hash": "hash",
        "Materialize": "materialize",
        "Memoize": "memoize",
        "Gather": "gather",
        "Gather Merge": "gather",
        "ModifyTable": "write",
    }
)
FAMILY_NAMES = (*dict.fromkeys(FAMILIES.values()), "hash_aggregate", "group_aggregate", "other")
_WRITE_KINDS = frozenset({"ModifyTable", "Insert", "Update", "Delete", "Merge"})


@dataclass(frozen=True, slots=True)
class Visit:
    """One node, seen from where it stands in its plan.

    Attributes:
        loops: estimated executions in each process.
        workers: planned by the Gather above it; 0 outside of one.
        divisor: by how much the planner takes the work of parallel-aware
            nodes to shrink; 1 outside of a Gather.
        repeated: whether each of a Gather's processes does all of the node's work, as it
            builds a hash table of its own; else they share it.
    """

    node: PlanNode
    parent: PlanNode | None
    loops: float
    workers: int
    divisor: float
    repeated: bool = False

    @property
    def output_rows(self) -> float:
        """Rows that leave the node in one process, all executions together."""
        return self.node.rows * self.loops

    @property
    def input_rows(self) -> float:
        """Rows that enter the node in one process; a scan's are those that it returns."""
        children = self.node.children
        return sum(child.rows for child in children) * self.loops if children else self.output_rows

    @property
    def family(self) -> str:
        """The operator family, one of `FAMILY_NAMES`."""
        return family(self.node)

    @property
    def memory_bytes(self) -> float:
        """Bytes that one execution in one process wants to keep; 0 when it keeps none."""
        if self.family not in ("sort", "hash", "hash_aggregate"):
            return 0.0
        rows = self.node.rows
        if self.parent is not None and self.parent.kind == "Limit":
            rows = min(rows, self.parent.rows)
        return rows * (self.node.width + _ROW_OVERHEAD.get(self.node.kind, 0))


def family(node: PlanNode) -> str:
    """The operator family of a node, one of `FAMILY_NAMES`."""
    if node.kind in ("Aggregate", "SetOp"):
        hashed = node.strategy in ("Hashed", "Mixed")
        return "hash_aggregate" if hashed else "group_aggregate"
    if node.kind in _WRITE_KINDS:
        return "write"
    return FAMILIES.get(node.kind, "other")


def visits(plan: PlanNode) -> Iterator[Visit]:
    """All nodes of `plan` with their executions and processes, parents first."""
    yield from _visit(Visit(plan, None, 1.0, 0, 1.0), miss_share=1.0)


def parallel_divisor(workers: int) -> float:
    """The planner's own: the leader helps less, the more workers it has to serve."""
    return workers + max(0.0, 1.0 - 0.3 * workers) if workers else 1.0


def _visit(visit: Visit, miss_share: float) -> Iterator[Visit]:
    yield visit
    node = visit.node
    workers, divisor = visit.workers, visit.divisor
    if node.kind in ("Gather", "Gather Merge"):
        workers, divisor = node.workers, parallel_divisor(node.workers)
    for child in node.children:
        loops = _child_loops(visit, child, miss_share)
        repeated = workers > 0 and _repeated(visit, child)
        below = Visit(child, node, loops, workers, divisor, repeated)
        yield from _visit(below, _miss_share(node, child))


def _repeated(visit: Visit, child: PlanNode) -> bool:
    """What no parallel-aware node feeds is done by each process for itself.

    But for what is looked up: each process does that for its own share of the outer rows.
    """
    if any(node.parallel_aware for node in child.walk()):
        return False
    if visit.node.kind == "Materialize":
        return True
    looked_up = visit.node.kind == "Nested Loop" and child.relationship == "Inner"
    shared = any(node.parallel_aware for node in visit.node.walk())
    return not looked_up if shared else visit.repeated


def _child_loops(visit: Visit, child: PlanNode, miss_share: float) -> float:
    node = visit.node
    if child.relationship == "InitPlan" or node.kind == "Materialize":
        return 1.0
    if child.relationship == "SubPlan":
        return visit.loops * _subplan_runs(node, child)
    if node.kind == "Nested Loop" and child.relationship == "Inner":
        outer = node.child("Outer")
        return visit.loops * max(1.0, outer.rows if outer else 1.0)
    return max(1.0, visit.loops * miss_share)


def _subplan_runs(node: PlanNode, subplan: PlanNode) -> float:
    """JSON plans do not tell correlated subplans from hashed ones; the costs do."""
    others = sum(c.total_cost for c in node.children if c.relationship in ("Outer", "Inner"))
    own = node.total_cost - others
    return max(1.0, own / subplan.total_cost) if subplan.total_cost > 0 else 1.0


def _miss_share(node: PlanNode, child: PlanNode) -> float:
    """The share of a Memoize's lookups that reach its child, from the join's cost."""
    outer = node.child("Outer")
    if child.kind != "Memoize" or node.kind != "Nested Loop" or outer is None:
        return 1.0
    every_lookup = max(1.0, outer.rows) * child.total_cost
    spent = node.total_cost - outer.total_cost
    return min(1.0, max(0.0, spent / every_lookup)) if every_lookup > 0 else 1.0
