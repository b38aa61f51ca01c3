"""Predicates of a chosen selectivity, from a column's distribution."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from workloads.synthesis.facts import Column, Family, Step, Value

NEAR = 3.0
"""A predicate whose share is within this factor of the wanted one is as good as any."""

LONGEST_LIST = 12
"""Values of an IN list."""

CLOSEST = 5
"""Of the values nearest to the wanted share, one is drawn from this many."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition on one column, as SQL.

    Attributes:
        share: of the relation's rows that fulfil it, as the statistics tell.
    """

    sql: str
    share: float


def can_filter(column: Column) -> bool:
    """Whether anything is known by which the column could be filtered."""
    known = len(column.values) + len(column.ladder) + len(column.prefixes)
    return column.family is not Family.OTHER and known > 0


def draw_predicate(rng: Random, column: Column, alias: str, share: float) -> Predicate | None:
    """A condition that about `share` of the rows fulfil, the nearest where none is near.

    Args:
        alias: of the relation in the query.
        share: wanted; above 0, at most 1.
    """
    name = f"{alias}.{column.sql}"
    made = [one for make in _KINDS if (one := make(rng, column, name, share)) is not None]
    near = [one for one in made if _distance(one.share, share) <= math.log(NEAR)]
    if near:
        return rng.choice(near)
    return min(made, key=lambda one: _distance(one.share, share), default=None)


def _distance(left: float, right: float) -> float:
    """How many times apart, as a logarithm."""
    return abs(math.log(max(left, 1e-12) / right))


def _nearest(rng: Random, values: tuple[Value, ...], share: float) -> Value | None:
    """One of the values whose shares are nearest."""
    ranked = sorted(values, key=lambda value: _distance(value.share, share))
    near = [v for v in ranked[:CLOSEST] if _distance(v.share, share) <= math.log(NEAR)]
    return rng.choice(near or ranked[:1]) if ranked else None


def _equality(rng: Random, column: Column, name: str, share: float) -> Predicate | None:
    value = _nearest(rng, column.values, share)
    return None if value is None else Predicate(f"{name} = {value.sql}", value.share)


def _in_list(rng: Random, column: Column, name: str, share: float) -> Predicate | None:
    """Values in random order until they make up the share."""
    chosen: list[Value] = []
    for value in rng.sample(column.values, len(column.values)):
        total = sum(one.share for one in chosen)
        if len(chosen) == LONGEST_LIST or total >= share:
            break
        if total + value.share <= share * NEAR:
            chosen.append(value)
    if len(chosen) < 2:
        return None
    listed = ", ".join(value.sql for value in chosen)
    return Predicate(f"{name} IN ({listed})", sum(value.share for value in chosen))


def _prefix(rng: Random, column: Column, name: str, share: float) -> Predicate | None:
    value = _nearest(rng, column.prefixes, share)
    return None if value is None else Predicate(f"{name} LIKE {value.sql}", value.share)


def _between(rng: Random, column: Column, name: str, share: float) -> Predicate | None:
    """From one step of the ladder to another that lies the share above."""
    starts = [step for step in column.ladder if step.below + share <= 1 - column.nulls]
    if not starts or len(column.ladder) < 2:
        return None
    low = rng.choice(starts)
    above = [step for step in column.ladder if step.below > low.below]
    if not above:
        return None
    high = min(above, key=lambda step: _distance(step.below - low.below, share))
    return Predicate(
        f"{name} >= {low.sql} AND {name} < {high.sql}", round(high.below - low.below, 12)
    )


def _below(_rng: Random, column: Column, name: str, share: float) -> Predicate | None:
    return _one_sided(column, share, lambda step: Predicate(f"{name} < {step.sql}", step.below))


def _above(_rng: Random, column: Column, name: str, share: float) -> Predicate | None:
    some = 1 - column.nulls
    return _one_sided(
        column, share, lambda step: Predicate(f"{name} >= {step.sql}", some - step.below)
    )


def _one_sided(column: Column, share: float, make: Callable[[Step], Predicate]) -> Predicate | None:
    """The nearest of the ladder's, without those that all rows or none fulfil."""
    made: Iterator[Predicate] = map(make, column.ladder)
    useful = [one for one in made if 0 < one.share < 1 - column.nulls]
    return min(useful, key=lambda one: _distance(one.share, share), default=None)


_KINDS = (_equality, _in_list, _prefix, _between, _below, _above)
