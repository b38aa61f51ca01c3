"""A short name for what a set of queries holds."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from workloads.workload import Query


def digest(queries: Iterable[Query]) -> str:
    """Changes when a query or its weight does: no session goes on with other queries."""
    content = "\n".join(f"{query.id} {query.weight!r} {query.sql}" for query in queries)
    return sha256(content.encode()).hexdigest()[:8]


def named(stem: str, queries: Iterable[Query]) -> str:
    """The name of a workload with these queries: the stem, with their digest at its end once."""
    mark = f"-{digest(queries)}"
    return stem if stem.endswith(mark) else stem + mark
