"""Which values of the benchmark's filters mean the same sort of thing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from workloads.job.catalogue import load_families
from workloads.job.graph import Column, Comparison, Family, Filter, Value, Variant

_EXACT = ("=", "<>", "IN")
_DESCRIBING = ("info_type", "role_type")
"""Tables whose rows say what the rows that refer to them are."""


class Sense(NamedTuple):
    """What values compared with a column mean; values of one sense can be exchanged.

    Attributes:
        context: the info type or role that the relation is of, or the column that
            refers to the relation where one table serves several ends.
        pattern: they are patterns of LIKE.
    """

    table: str
    column: str
    context: str
    pattern: bool


def exchangeable_values(
    family: Family, filters: tuple[Filter, ...], comparison: Comparison
) -> tuple[Value, ...]:
    """What the benchmark compares with columns of the sense that this one has.

    Args:
        filters: all of the query, since some say of which type another relation is.
        comparison: one of them, with =, <>, IN or LIKE.
    """
    return _pools()[_sense(family, filters, comparison)]


def described(family: Family, alias: str) -> str:
    """The relation that `alias` describes, or itself."""
    referring = _referring(family, alias)
    return referring.alias if referring and describes(family, alias) else alias


def describes(family: Family, alias: str) -> bool:
    """Whether the relation says what the rows that refer to it are."""
    return family.table(alias) in _DESCRIBING


def _referring(family: Family, alias: str) -> Column | None:
    """The only column that refers to the relation's id; None where there are several."""
    for join in family.joins:
        if len(join.columns) == 2 and Column(alias, "id") in join.columns:
            return next(column for column in join.columns if column.alias != alias)
    return None


@cache
def _pools() -> dict[Sense, tuple[Value, ...]]:
    """All values of the benchmark by sense, in its order."""
    pools: dict[Sense, dict[Value, None]] = {}
    for family, variant, comparison in _comparisons():
        sense = _sense(family, variant.filters, comparison)
        pools.setdefault(sense, {}).update(dict.fromkeys(filter(None, comparison.values)))
    return {sense: tuple(values) for sense, values in pools.items()}


def _comparisons() -> Iterator[tuple[Family, Variant, Comparison]]:
    """Every comparison of the benchmark with values that can be exchanged."""
    for family in load_families():
        for variant in family.variants:
            for part in variant.filters:
                for comparison in part.comparisons():
                    if comparison.operator in (*_EXACT, "LIKE"):
                        yield family, variant, comparison


def _sense(family: Family, filters: tuple[Filter, ...], comparison: Comparison) -> Sense:
    alias, name = comparison.column
    context = _context(family, filters, alias)
    return Sense(family.table(alias), name, context, comparison.operator not in _EXACT)


def _context(family: Family, filters: tuple[Filter, ...], alias: str) -> str:
    referring = _referring(family, alias)
    if referring and family.table(alias) == "comp_cast_type":
        return referring.name
    descriptions = [
        str(part.values[0])
        for part in filters
        if isinstance(part, Comparison)
        and part.alias != alias
        and described(family, part.alias) == alias
    ]
    return descriptions[0] if descriptions else ""
