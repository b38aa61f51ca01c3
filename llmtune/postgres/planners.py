"""Planning many queries side by side: a server plans on one core for each connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from math import ceil
from queue import SimpleQueue
from typing import TypeAlias

from llmtune.postgres.plans import PlanNode, what_if
from llmtune.postgres.target import Connection, Target
from workloads.workload import Query

TABLES_EACH = 100
"""With fewer tables in the queries, another connection costs more than it saves."""

USUAL_TABLES = 3
"""Of a query of which nothing is known."""

MOST = 4

PIECE = 10
"""Queries that a connection plans under settings once made: some queries take a hundred times
as long as others, so who is done early must find more to do."""

Wanted: TypeAlias = tuple[Mapping[str, str], Sequence[Query]]
"""Session settings, and the queries to be planned under them."""


@contextmanager
def planners(target: Target, database: str, tables: int) -> Iterator[list[Connection]]:
    """One to four connections to a database, for planning queries of so many tables together.

    Raises:
        ConnectionFailed: the server does not answer, or has no more connections.
    """
    count = max(1, min(ceil(tables / TABLES_EACH), target.hardware.cores, MOST))
    with ExitStack() as stack:
        yield [stack.enter_context(target.connect(database)) for _ in range(count)]


def what_ifs(
    connections: Sequence[Connection], wanted: Sequence[Wanted]
) -> list[dict[str, PlanNode]]:
    """For each of several settings the plans that `what_if` finds, in the queries' order.

    Args:
        connections: to the same database, one at least; they plan at the same time.

    Raises:
        QueryFailed: the server cannot plan a query.
        TargetError: the server refuses a setting in a session.
    """
    pieces = [
        (place, queries[at : at + PIECE])
        for place, (_, queries) in enumerate(wanted)
        for at in range(0, len(queries), PIECE)
    ]
    free: SimpleQueue[Connection] = SimpleQueue()
    for connection in connections:
        free.put(connection)

    def planned(piece: tuple[int, Sequence[Query]]) -> dict[str, PlanNode]:
        place, queries = piece
        connection = free.get()
        try:
            return what_if(connection, wanted[place][0], queries)
        finally:
            free.put(connection)

    found: list[dict[str, PlanNode]] = [{} for _ in wanted]
    with ThreadPoolExecutor(len(connections)) as pool:
        for (place, _), plans in zip(pieces, pool.map(planned, pieces), strict=True):
            found[place].update(plans)
    return found
