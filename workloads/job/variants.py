"""New variants of a family: its variants' filters recombined, their values drawn anew.

Filters that describe one thing move together, such as an info type and the value
that must be of it. Values come from the whole benchmark, where they are compared
with a column of the same sense, so every IMDb that serves the benchmark has them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from random import Random

from workloads.job.graph import Column, Combination, Comparison, Family, Filter, Value, Variant
from workloads.job.senses import described, describes, exchangeable_values

_EXCHANGED, _CHANGED = 0.5, 0.4
"""The share of filters taken from any variant, and of comparisons with values drawn anew.

More of both gives queries that are farther from the published, and more without a row.
"""

_LAST_YEAR = 2012
"""The last whole year before the benchmark's export."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_INITIAL = re.compile("[A-Z]%")


def draw_variant(family: Family, rng: Random, number: int = 1) -> Variant:
    """A variant that the benchmark does not have; its id is `family.number`."""
    published = {frozenset(variant.filters) for variant in family.variants}
    while True:
        filters = _vary(family, _recombine(family, rng), rng)
        if frozenset(filters) not in published:
            outputs = rng.choice(family.variants).outputs
            return Variant(f"{family.number}.{number}", filters, outputs)


def _recombine(family: Family, rng: Random) -> tuple[Filter, ...]:
    """The filters of one variant, for some things exchanged for those of any."""
    base = rng.choice(family.variants)
    filters: list[Filter] = []
    for thing in dict.fromkeys(described(family, alias) for _, alias in family.relations):
        source = rng.choice(family.variants) if rng.random() < _EXCHANGED else base
        filters += [part for part in source.filters if described(family, part.alias) == thing]
    return tuple(filters)


def _vary(family: Family, filters: tuple[Filter, ...], rng: Random) -> tuple[Filter, ...]:
    """The filters with the values of some of their comparisons drawn anew."""
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
        return describes(self.family, part.alias) or part.column.name == "gender"

    def _values(self, part: Comparison) -> tuple[Value, ...]:
        values = part.values
        match part.operator, values:
            case _, (int(), *_):
                values = _numbers(part, self.rng)
            case "BETWEEN", _:
                values = tuple(sorted(self.rng.sample(_LETTERS, 2)))
            case (("<" | ">"), (str(rating),)):
                values = (_rating_near(rating, self.rng),)
            case "LIKE", (str(pattern),) if _INITIAL.fullmatch(pattern):
                values = (f"{self.rng.choice(_LETTERS)}%",)
            case "IN", _:
                values = self._some(part)
            case (("=" | "<>" | "LIKE"), (str(value),)) if value:
                values = self._other(part)
        return values

    def _some(self, part: Comparison) -> tuple[Value, ...]:
        pool = self._pool(part)
        count = len(part.values)
        size = self.rng.randint((count + 1) // 2, min(2 * count, len(pool)))
        return tuple(self.rng.sample(pool, size))

    def _other(self, part: Comparison) -> tuple[Value, ...]:
        fresh = [value for value in self._pool(part) if (part.column, value) not in self.taken]
        return (self.rng.choice(fresh),) if fresh else part.values

    def _pool(self, part: Comparison) -> tuple[Value, ...]:
        return exchangeable_values(self.family, self.filters, part)


def _numbers(part: Comparison, rng: Random) -> tuple[int, ...]:
    """Years near the given ones; episode numbers that leave their range no smaller."""
    low, *high = [int(value) for value in part.values]
    if part.column.name == "episode_nr":
        return (rng.randint(low, 2 * low) if part.operator == "<" else rng.randint(1, low),)
    year = min(low + rng.randint(-15, 3), _LAST_YEAR)
    return (year, *(year + rng.randint((end - low) // 2, 2 * (end - low) + 1) for end in high))


def _rating_near(rating: str, rng: Random) -> str:
    """Within 1.5 points; of one digit before the point, since the column is text."""
    return f"{min(max(float(rating) + rng.randint(-3, 3) / 2, 1.0), 9.5):.1f}"
