"""The effort of a plan: a guess at its time, in units that no knob changes.

The planner's own cost does not tell which of two configurations is faster: the knobs that are
tuned are the units it counts in, and it knows nothing of how many processes will really run,
nor of pages that lie in the operating system's cache and not in PostgreSQL's own. Here all
plans are weighed alike. The units are near those that PostgreSQL ships with ("Planner Cost
Constants" in its manual; `costsize.c`), and where measured times of TPC-H spoke against
these they were moved: docs/optimizers.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log, log2

from llmtune.postgres.budget import Budget
from llmtune.postgres.plan_work import Visit, visits
from llmtune.postgres.plans import PlanNode
from llmtune.postgres.statistics import IndexStatistics, TableStatistics

Tables = Mapping[str, TableStatistics]
"""By their names."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of the data that plans read.

    Attributes:
        indexes: by their names.
    """

    tables: Tables
    indexes: Mapping[str, IndexStatistics] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all tables and indexes."""
        return sum(table.heap_bytes + table.index_bytes for table in self.tables.values())


TUPLE, OPERATOR, INDEX_TUPLE = 0.01, 0.0025, 0.005
ROW = TUPLE + OPERATOR
"""Of a row that is looked at: scanned or hashed for a join."""

LOOKUP = 40 * OPERATOR
"""A way down an index."""

FETCH, FETCH_SCATTERED, FETCH_BITMAP = 0.02, 0.1, 0.05
"""A row that an index leads to, kept or not, in shared buffers: where neighbours in the
index are neighbours in the table; where each lies on another page; and in the table's order."""

HASHED, GROUPED = 0.05, 0.02
"""A row that is aggregated, in a hash table or in order: several aggregates are usual."""

PASSED = 0.03
"""A row from one process to another, a third of `parallel_tuple_cost`."""

WORKER = 100.0
"""A process to be started, a tenth of `parallel_setup_cost`."""

SPILLED = 1.0
"""A page that is written and read again."""

COPIED = 0.3
"""A page that is copied from the operating system's cache into shared buffers."""

NEIGHBOURS = 0.1
"""Of a page, for each row that an index leads to, where neighbours lie together."""

RING = 4
"""A scan of a table larger than shared buffers over this uses only a few of them and leaves
no page behind (`src/backend/storage/buffer/README`, "Buffer Ring Replacement Strategy")."""

_PAGE = 8192
_FETCHES = {
    "index_scan": (FETCH, FETCH_SCATTERED),
    "bitmap_scan": (FETCH_BITMAP, FETCH_BITMAP),
    "index_only_scan": (ROW, ROW),
}
_OF_A_ROW = {
    "hash": ROW,
    "hash_join": ROW,
    "hash_aggregate": HASHED,
    "group_aggregate": GROUPED,
}


def effort(plan: PlanNode, given: Budget, stored: Stored) -> float:
    """The natural logarithm of the plan's effort under a configuration's budget."""
    missed = missed_share(given, stored)
    return log(
        sum(_own(visit, given, stored, missed) * _stretch(visit, given) for visit in visits(plan))
    )


def missed_share(given: Budget, stored: Stored) -> float:
    """The share of the database for which shared buffers have no room."""
    return max(0.0, 1.0 - given.shared_buffers / stored.size) if stored.size else 0.0


def rows_worked(visit: Visit, tables: Tables) -> float:
    """Rows that one process works through; a full scan looks at every row of its table."""
    table = tables.get(visit.node.relation or "")
    if visit.family != "seq_scan" or table is None:
        return visit.input_rows
    return table.rows * visit.loops / _processes(visit)


def rows_fetched(visit: Visit, stored: Stored) -> float:
    """Rows to which an index leads one process, also those that are dropped then.

    EXPLAIN tells how many are kept. Without a condition the whole index is read; equality
    with its first column leads to all rows of that key.
    """
    node, table = visit.node, stored.tables.get(visit.node.relation or "")
    if visit.family == "bitmap_scan":
        return max(visit.input_rows, visit.output_rows)
    if not node.condition:
        whole = table.rows * visit.loops / _processes(visit) if table else 0.0
        return max(whole, visit.output_rows)
    if node.filtered and " = " in node.condition:
        index = stored.indexes.get(node.index or "")
        return max(index.rows_per_key * visit.loops if index else 0.0, visit.output_rows)
    return visit.output_rows


def scattered(visit: Visit, stored: Stored) -> float:
    """How far the rows of an index lie on pages of their own, 0 to 1; half where it is unknown."""
    index = stored.indexes.get(visit.node.index or "")
    return 1.0 - index.correlation**2 if index else 0.5


def slowdown(visit: Visit, given: Budget) -> float:
    """How much longer than planned it takes when fewer processes can really run."""
    return visit.divisor / given.speedup(visit.workers) if visit.workers else 1.0


def _stretch(visit: Visit, given: Budget) -> float:
    """How much longer one process takes, since others want the cores too."""
    return given.crowding(visit.workers) if visit.repeated else slowdown(visit, given)


def _own(visit: Visit, given: Budget, stored: Stored, missed: float) -> float:
    """Of one node without those below it, in one process; more than nothing."""
    worked = _worked(visit, stored) + _copied(visit, given, stored, missed) + OPERATOR
    allowed = given.sort_memory if visit.family == "sort" else given.hash_memory
    if visit.memory_bytes <= allowed:
        return worked
    return worked + SPILLED * visit.memory_bytes * visit.loops / _PAGE


def _worked(visit: Visit, stored: Stored) -> float:
    """Apart from what its pages and its memory cost."""
    family, rows = visit.family, visit.input_rows
    if family in _FETCHES:
        return LOOKUP * visit.loops + _fetch(visit, stored) * rows_fetched(visit, stored)
    if family == "seq_scan":
        return ROW * rows_worked(visit, stored.tables)
    if family == "sort":
        return OPERATOR * rows * log2(max(2.0, visit.node.rows))
    if family == "gather":
        return PASSED * visit.output_rows + WORKER * visit.node.workers
    return _OF_A_ROW.get(family, INDEX_TUPLE) * rows


def _fetch(visit: Visit, stored: Stored) -> float:
    """Of one row that an index leads to."""
    near, apart = _FETCHES[visit.family]
    return near + (apart - near) * scattered(visit, stored)


def _copied(visit: Visit, given: Budget, stored: Stored, missed: float) -> float:
    """For pages that are not in shared buffers."""
    if visit.family in ("index_scan", "bitmap_scan"):
        share = max(NEIGHBOURS, scattered(visit, stored))
        return COPIED * missed * share * rows_fetched(visit, stored)
    table = stored.tables.get(visit.node.relation or "")
    if visit.family != "seq_scan" or table is None:
        return 0.0
    ringed = table.heap_bytes > given.shared_buffers / RING
    pages = table.heap_bytes / _PAGE * visit.loops / _processes(visit)
    return COPIED * pages * (1.0 if ringed else missed)


def _processes(visit: Visit) -> float:
    """Among which a scan's table is divided."""
    return visit.divisor if visit.node.parallel_aware else 1.0
