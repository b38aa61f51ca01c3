"""What a run of the server has read already, so that only the rest needs warming."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from llmtune.postgres.plans import PlanNode
from llmtune.postgres.session import loss_is_failure
from llmtune.postgres.target import Connection
from workloads.workload import Query


@dataclass(slots=True)
class Warmth:
    """The relations that queries read since the server was started.

    Attributes:
        started: when that was, in the server's words.
        read: tables that were scanned, and indexes that were used.
        ever: the same, of servers before it too.
    """

    started: str = ""
    read: set[str] = field(default_factory=set)
    ever: set[str] = field(default_factory=set)

    def look(self, connection: Connection) -> None:
        """See whether the server was restarted, by whomever, so that nothing is warm.

        Raises:
            ConnectionFailed: the server went away.
        """
        with loss_is_failure():
            row = connection.execute("SELECT pg_postmaster_start_time()::text").fetchone()
        started = str(row[0]) if row else ""
        if started != self.started:
            self.started, self.read = started, set()

    def add(self, plan: PlanNode) -> None:
        """A query with this plan ran to its end."""
        self.note(reads(plan))

    def note(self, relations: frozenset[str]) -> None:
        """These were read."""
        self.read |= relations
        self.ever |= relations


@dataclass(frozen=True, slots=True)
class CachedTables:
    """The tables of a database that stays in memory while the server restarts.

    Attributes:
        names: those that can be read by the name that plans have.
        kept: those of them that shared buffers keep once they were scanned.
    """

    names: frozenset[str]
    kept: frozenset[str]


def reads(plan: PlanNode) -> frozenset[str]:
    """The tables that `plan` scans and the indexes that it uses.

    A table that is read through an index counts as the index: another index leads
    to other pages of it.
    """
    nodes = (node for node in plan.walk() if node.kind != "Bitmap Heap Scan")
    names = (node.index or node.relation for node in nodes)
    return frozenset(name for name in names if name)


def scans(plan: PlanNode) -> frozenset[str]:
    """The tables that `plan` reads from end to end."""
    nodes = (node for node in plan.walk() if node.kind == "Seq Scan")
    return frozenset(node.relation for node in nodes if node.relation)


def cover(
    queries: Iterable[Query],
    plans: Mapping[str, PlanNode],
    warm: frozenset[str],
    seconds: Callable[[Query], float],
    reading: Callable[[PlanNode], frozenset[str]] = reads,
) -> tuple[Query, ...]:
    """Few and quick queries that together read all that `queries` read and is not warm.

    Greedy: next is always the query that reads most new relations for each second.

    Args:
        seconds: about how long each query takes; only the proportions count.
        reading: what of a plan's reading counts.
    """
    waiting = {query.id: query for query in queries}
    chosen: list[Query] = []
    missing = frozenset().union(*(reading(plans[name]) for name in waiting)) - warm
    while missing:

        def worth(query: Query, missing: frozenset[str] = missing) -> float:
            return len(reading(plans[query.id]) & missing) / max(seconds(query), 1e-9)

        best = max(waiting.values(), key=worth)
        chosen.append(waiting.pop(best.id))
        missing -= reading(plans[best.id])
    return tuple(chosen)
