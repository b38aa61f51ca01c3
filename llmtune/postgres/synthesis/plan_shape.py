"""When two plans are the same in kind: a workload needs only one query of each."""

from __future__ import annotations

from hashlib import sha256

from llmtune.postgres.plans import PlanNode

_TRANSPARENT = frozenset({"Gather", "Gather Merge", "Hash", "Materialize", "Memoize", "Result"})
"""They hand on the rows of the node below; whether they appear hangs on small differences."""


def canonical_shape(plan: PlanNode) -> str:
    """Operators, relations and how they are joined, as a text.

    Equal texts mean plans of the same structure, whatever the constants, the columns,
    the indexes and the number of processes.
    """
    children = [canonical_shape(child) for child in plan.children]
    if plan.kind in _TRANSPARENT and len(children) == 1:
        return children[0]
    own = " ".join(part for part in (plan.kind, plan.strategy, plan.relation) if part)
    return f"{own}({', '.join(children)})" if children else own


def shape_digest(plan: PlanNode) -> str:
    """A short name for the shape."""
    return sha256(canonical_shape(plan).encode()).hexdigest()[:10]
