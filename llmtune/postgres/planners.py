"""Planning many queries side by side: a server plans on one core for each connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import ceil

from llmtune.postgres.target import Connection, Target

QUERIES_EACH = 30
"""With fewer, another connection costs more than it saves."""

MOST = 4


@contextmanager
def planners(target: Target, database: str, queries: int) -> Iterator[list[Connection]]:
    """One to four connections to a database, for planning so many queries.

    Raises:
        ConnectionFailed: the server does not answer, or has no more connections.
    """
    count = max(1, min(ceil(queries / QUERIES_EACH), target.hardware.cores, MOST))
    with ExitStack() as stack:
        yield [stack.enter_context(target.connect(database)) for _ in range(count)]
