"""What a query returns of its join: groups with aggregates, one row of them, or rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from workloads.synthesis.facts import Column, Family
from workloads.synthesis.join_tree import JoinTree

GROUPED, SINGLE = 0.6, 0.8
"""Cumulative chances of groups and of a single row of aggregates; the others return rows."""

MOST_DISTINCT = 2000.0
"""A column with more values is not grouped by."""

UNLIMITED_GROUPS = 1000.0
"""With more groups than this, the query has a limit."""

LIMITS = (5, 10, 20, 50, 100)


@dataclass(frozen=True, slots=True)
class Output:
    """A select list, and the clauses behind WHERE in their order."""

    columns: str
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reference:
    """A column of one of the query's relations, as SQL."""

    sql: str
    column: Column


def draw_output(rng: Random, tree: JoinTree, rows: float) -> Output:
    """A select list over the tree's columns.

    Args:
        rows: estimated rows that the filters leave.
    """
    keys = set(_join_columns(tree))
    free = [
        _Reference(f"{node.alias}.{column.sql}", column)
        for node in tree.nodes
        for column in node.relation.columns
        if column.family is not Family.OTHER and (node.alias, column.name) not in keys
    ]
    kind = rng.random()
    groupable = [one for one in free if 1 < one.column.distinct <= MOST_DISTINCT]
    if kind < GROUPED and groupable:
        return _groups(rng, groupable, free, rows)
    if kind < SINGLE or not free:
        return Output(", ".join(_aggregates(rng, free)), ())
    return _rows(rng, free)


def _join_columns(tree: JoinTree) -> Iterator[tuple[str, str]]:
    """Alias and column of everything that is joined by."""
    for link in tree.links:
        yield from ((link.child.alias, name) for name in link.join.child_columns)
        yield from ((link.parent.alias, name) for name in link.join.parent_columns)


def _groups(
    rng: Random, groupable: Sequence[_Reference], free: Sequence[_Reference], rows: float
) -> Output:
    by = rng.sample(groupable, min(rng.choice((1, 1, 1, 2, 2, 3)), len(groupable)))
    names = [one.sql for one in by]
    aggregates = _aggregates(rng, [one for one in free if one not in by])
    clauses = [f"GROUP BY {', '.join(names)}"]
    groups = math.prod(one.column.distinct for one in by)
    if rng.random() < 0.2:
        clauses.append(f"HAVING count(*) > {_having(rng, rows / groups)}")
    limited = groups > UNLIMITED_GROUPS or rng.random() < 0.4
    if limited or rng.random() < 0.5:
        last = str(len(by) + rng.randint(1, len(aggregates)))
        order = [f"{last} DESC", *names] if rng.random() < 0.6 else names
        clauses.append(f"ORDER BY {', '.join(order)}")
    if limited:
        clauses.append(f"LIMIT {rng.choice(LIMITS)}")
    return Output(", ".join([*names, *aggregates]), tuple(clauses))


def _having(rng: Random, rows_of_group: float) -> int:
    """A bound that some groups exceed and others do not."""
    return max(1, round(rows_of_group * rng.uniform(0.5, 1.5)))


def _aggregates(rng: Random, free: Sequence[_Reference]) -> list[str]:
    """One to three different ones."""
    # The sum of a key says nothing.
    numbers = [one for one in free if one.column.family is Family.NUMBER and not one.column.unique]
    ordered = [one for one in free if one.column.family is not Family.CHOICE]
    made = ["count(*)"] if rng.random() < 0.5 else []
    for _ in range(rng.randint(1, 2)):
        if numbers and rng.random() < 0.7:
            made.append(f"{rng.choice(('sum', 'avg', 'min', 'max'))}({rng.choice(numbers).sql})")
        elif ordered and rng.random() < 0.7:
            made.append(f"{rng.choice(('min', 'max'))}({rng.choice(ordered).sql})")
        elif free:
            made.append(f"count(DISTINCT {rng.choice(free).sql})")
    return list(dict.fromkeys(made)) or ["count(*)"]


def _rows(rng: Random, free: Sequence[_Reference]) -> Output:
    """The first rows in some order; at times without repetitions."""
    chosen = [one.sql for one in rng.sample(free, min(rng.randint(2, 5), len(free)))]
    order = [f"{name} DESC" if rng.random() < 0.4 else name for name in chosen]
    kept = rng.randint(1, len(order))
    distinct = "DISTINCT " if rng.random() < 0.2 else ""
    limit = f"LIMIT {rng.choice(LIMITS)}"
    return Output(distinct + ", ".join(chosen), (f"ORDER BY {', '.join(order[:kept])}", limit))
