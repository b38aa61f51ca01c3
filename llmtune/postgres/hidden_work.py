"""What running a query takes that EXPLAIN does not show."""

from __future__ import annotations

import re

from llmtune.postgres.target import Connection

_OWN_FUNCTIONS = """
    SELECT DISTINCT lower(p.proname)
    FROM pg_proc p
    JOIN pg_language l ON l.oid = p.prolang
    JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE l.lanname NOT IN ('internal', 'c')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""

_CALLED = re.compile(r"(\w+)\"?\s*\(")
_SORTING = re.compile(
    r"\b(?:distinct|within\s+group|grouping\s+sets|rollup|cube)\b|\([^()]*\border\s+by\b",
    re.IGNORECASE,
)


def own_functions(connection: Connection) -> frozenset[str]:
    """Names of the functions that were written in SQL or a procedural language.

    Their statements are planned when they run, under any of the planner's settings.
    """
    return frozenset(str(name) for (name,) in connection.execute(_OWN_FUNCTIONS))


def calls_any(sql: str, functions: frozenset[str]) -> bool:
    """Whether the text calls one of these functions by its name."""
    return any(name.lower() in functions for name in _CALLED.findall(sql))


def may_sort_within_aggregates(sql: str) -> bool:
    """Whether an aggregate may sort its rows itself: DISTINCT, ORDER BY, several groupings.

    Told from the text, where a subquery's or a window's order cannot be told from it: those
    count too.
    """
    return _SORTING.search(sql) is not None
