"""Heavy statements as the server's log has them, with the values that they ran with."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from random import Random

from llmtune.errors import UsageError
from llmtune.postgres.heavy_statements import HeavyStatement
from workloads.captured.log import Reservoir, logged_statements


def logged_texts(
    log: Path, database: str, wanted: Iterable[HeavyStatement], sets: int, rng: Random
) -> dict[int, list[str]]:
    """Texts by query id, an even sample of at most `sets` of each statement.

    Raises:
        UsageError: the log cannot be read, or has none of the statements.
    """
    ids: dict[str, list[int]] = {}
    for one in wanted:
        ids.setdefault(_fingerprint(one.sql), []).append(one.query_id)
    kept: dict[int, Reservoir] = {}
    for logged in logged_statements(log, database):
        if alike := ids.get(_fingerprint(logged.sql)):
            # Before PostgreSQL 18 lists of another length are another statement.
            query_id = logged.query_id if logged.query_id in alike else alike[0]
            kept.setdefault(query_id, Reservoir(sets, rng)).add(logged.sql)
    if ids and not kept:
        raise UsageError(
            f"{log} has none of the heaviest statements of {database}: is it that server's log, "
            "written with lc_messages = 'C' or in English, and with a log_min_duration_statement "
            "that leaves none of them out? Without --data values come from statistics"
        )
    return {query_id: reservoir.kept for query_id, reservoir in kept.items()}


def _fingerprint(sql: str) -> str:
    """Equal for statements that differ in values alone; empty for what is no statement.

    A logged one may be none: a value cannot stand for the parameter of `$1[1]`.
    """
    import pglast

    with suppress(pglast.parser.ParseError):
        return pglast.fingerprint(sql)
    return ""
