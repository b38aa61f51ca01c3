"""New variants of a family: its variants' filters recombined, their values drawn anew.

Filters that describe one thing move together, such as an info type and the value
that must be of it. Values come from the whole benchmark, where they are compared
with a column of the same sense, so every IMDb that serves the benchmark has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import NamedTuple

from workloads.job.catalogue import load_families
from workloads.job.graph import (
    Column,
    Combination,
    Comparison,
    Family,
    Filter,
    Value,
    Variant,
)

_CHANGED = 0.6
"""The share of comparisons whose values are drawn anew."""

_LAST_YEAR = 2012
"""The last year of which the benchmark's export knows most titles."""

_EXACT = ("=", "<>", "IN")
_DESCRIBING = ("info_type", "role_type")
"""Tables whose rows say what the rows that refer to them are."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


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


def draw_variant(family: Family, rng: Random, number: int = 1) -> Variant:
    """A variant that the benchmark does not have; its id is `family.number`."""
    published = {frozenset(variant.filters) for variant in family.variants}
    while True:
        filters = _vary(family, _recombine(family, rng), rng)
        if frozenset(filters) not in published:
            outputs = rng.choice(family.variants).outputs
            return Variant(f"{family.number}.{number}", filters, outputs)


def _recombine(family: Family, rng: Random) -> tuple[Filter, ...]:
    """For each thing that is filtered, the filters of one of the variants."""
    things = dict.fromkeys(_described(family, relation.alias) for relation in family.relations)
    return tuple(
        part
        for thing in things
        for part in rng.choice(family.variants).filters
        if _described(family, part.alias) == thing
    )


def _described(family: Family, alias: str) -> str:
    """The relation that `alias` describes, or itself."""
    referring = _referring(family, alias)
    return referring.alias if referring and family.table(alias) in _DESCRIBING else alias


def _referring(family: Family, alias: str) -> Column | None:
    """The only column that refers to the relation's id; None where there are several."""
    for join in family.joins:
        if len(join.columns) == 2 and Column(alias, "id") in join.columns:
            return next(column for column in join.columns if column.alias != alias)
    return None


def _vary(family: Family, filters: tuple[Filter, ...], rng: Random) -> tuple[Filter, ...]:
    draw = _Draw(family, filters, rng, _taken(filters))
    return tuple(draw.filter(part) for part in filters)


def _taken(filters: tuple[Filter, ...]) -> set[tuple[Column, Value]]:
    """What is compared already: drawn again it would repeat or contradict."""
    return {
        (comparison.column, value)
        for part in filters
        for comparison in part.comparisons()
        for value in comparison.values
    }


@dataclass(frozen=True, slots=True)
class _Draw:
    """One set of filters whose values are being drawn anew."""

    family: Family
    filters: tuple[Filter, ...]
    rng: Random
    taken: set[tuple[Column, Value]]

    def filter(self, part: Filter) -> Filter:
        if isinstance(part, Combination):
            return Combination(part.word, tuple(self.filter(inner) for inner in part.filters))
        if self._fixed(part) or self.rng.random() >= _CHANGED:
            return part
        values = self._values(part)
        self.taken.update((part.column, value) for value in values)
        return replace(part, values=values)

    def _fixed(self, part: Comparison) -> bool:
        """Whether other filters hang on its value."""
        return self.family.table(part.alias) in _DESCRIBING or part.column.name == "gender"

    def _values(self, part: Comparison) -> tuple[Value, ...]:
        first = part.values[0] if part.values else None
        if isinstance(first, int):
            return _numbers(part, self.rng)
        if part.operator == "BETWEEN":
            return tuple(sorted(self.rng.sample(_LETTERS, 2)))
        if part.operator in ("<", ">"):
            return (f"{self.rng.randint(4, 19) / 2:.1f}",)
        pool = _pools().get(_sense(self.family, self.filters, part), ())
        if part.operator == "IN":
            return tuple(self.rng.sample(pool, self._size(part, pool)))
        return self._other(part, pool)

    def _size(self, part: Comparison, pool: tuple[Value, ...]) -> int:
        return self.rng.randint(1, min(2 * len(part.values), len(pool)))

    def _other(self, part: Comparison, pool: tuple[Value, ...]) -> tuple[Value, ...]:
        if part.operator == "LIKE" and _is_initial(part.values[0]):
            return (f"{self.rng.choice(_LETTERS)}%",)
        fresh = [value for value in pool if (part.column, value) not in self.taken]
        exchangeable = part.operator in ("=", "<>", "LIKE") and part.values[0] != ""
        return (self.rng.choice(fresh),) if fresh and exchangeable else part.values


def _is_initial(value: Value) -> bool:
    return isinstance(value, str) and len(value) == 2 and value[0] in _LETTERS


def _numbers(part: Comparison, rng: Random) -> tuple[int, ...]:
    """Years near the given ones; episode numbers that leave their range no smaller."""
    low, *high = [int(value) for value in part.values]
    if part.column.name == "episode_nr":
        return (rng.randint(low, 2 * low) if part.operator == "<" else rng.randint(1, low),)
    year = min(low + rng.randint(-15, 5), _LAST_YEAR)
    return (year, *(year + rng.randint(0, 2 * (end - low) + 1) for end in high))


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
        and _described(family, part.alias) == alias
    ]
    return descriptions[0] if descriptions else ""
