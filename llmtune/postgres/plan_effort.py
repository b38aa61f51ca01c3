"""The effort of a plan: a guess at its time, in units that no knob changes.

The planner's own cost does not tell which of two configurations is faster: the knobs that are
tuned are the units it counts in, and it knows nothing of how many processes will really run.
Here all plans are weighed alike, by the unit costs that PostgreSQL ships with ("Planner Cost
Constants" in its manual; `costsize.c`), with pages taken to lie in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log, log2

from llmtune.postgres.budget import Budget
from llmtune.postgres.plan_work import Visit, visits
from llmtune.postgres.plans import PlanNode
from llmtune.postgres.statistics import TableStatistics

Tables = Mapping[str, TableStatistics]
"""By their names."""

TUPLE, OPERATOR, INDEX_TUPLE = 0.01, 0.0025, 0.005
ROW = TUPLE + OPERATOR
"""Of a row that is looked at: scanned, hashed, or aggregated."""

LOOKUP = 40 * OPERATOR
"""A way down an index."""

FETCH = 10 * INDEX_TUPLE
"""A row that an index leads to, on a page in memory."""

COMPARISONS = 2 * OPERATOR
"""Of each level of a sort."""

PASSED = 0.05
"""A row from one process to another, half of `parallel_tuple_cost`."""

WORKER = 100.0
"""A process to be started, a tenth of `parallel_setup_cost`."""

SPILLED = 1.0
"""A page that is written and read again."""

_PAGE = 8192


def effort(plan: PlanNode, given: Budget, tables: Tables) -> float:
    """The natural logarithm of the plan's effort under a configuration's budget."""
    return log(sum(_own(visit, given, tables) * slowdown(visit, given) for visit in visits(plan)))


def rows_worked(visit: Visit, tables: Tables) -> float:
    """Rows that one process works through; a full scan looks at every row of its table."""
    table = tables.get(visit.node.relation or "")
    if visit.family != "seq_scan" or table is None:
        return visit.input_rows
    share = visit.divisor if visit.node.parallel_aware else 1.0
    return table.rows * visit.loops / share


def slowdown(visit: Visit, given: Budget) -> float:
    """How much longer than planned it takes when fewer processes can really run."""
    return visit.divisor / given.speedup(visit.workers) if visit.workers else 1.0


def _own(visit: Visit, given: Budget, tables: Tables) -> float:
    """Of one node without those below it, in one process; more than nothing."""
    worked = _worked(visit, tables) + OPERATOR
    allowed = given.sort_memory if visit.family == "sort" else given.hash_memory
    if visit.memory_bytes <= allowed:
        return worked
    return worked + SPILLED * visit.memory_bytes * visit.loops / _PAGE


def _worked(visit: Visit, tables: Tables) -> float:
    family = visit.family
    if family in ("index_scan", "bitmap_scan"):
        return LOOKUP * visit.loops + FETCH * visit.output_rows
    if family == "index_only_scan":
        return LOOKUP * visit.loops + ROW * visit.output_rows
    if family == "sort":
        return COMPARISONS * visit.input_rows * log2(max(2.0, visit.node.rows))
    if family == "gather":
        return PASSED * visit.output_rows + WORKER * visit.node.workers
    if family in ("seq_scan", "hash_join", "hash_aggregate", "group_aggregate"):
        return ROW * rows_worked(visit, tables)
    return INDEX_TUPLE * visit.input_rows
