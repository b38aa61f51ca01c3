"""A column's distribution, from the planner's statistics or from a sample of values.

Source: PostgreSQL's manual, `pg_stats`: the most common values with their frequencies,
and a histogram that divides the other values into groups of about equal size.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from psycopg import sql

from workloads.synthesis.facts import Family, Step, Value

LONGEST_VALUE = 32
"""Characters; longer ones do not make readable queries."""

SCATTERED = 20
"""Values outside of the most common ones that are kept, spread over the whole range."""

PREFIX_LENGTHS = range(1, 6)
FEWEST_OF_PREFIX = 4
"""Bounds of the histogram with a prefix, below which its share is a guess."""

BUCKETS = 100

_NOT_FINITE = ("NaN", "infinity", "Infinity", "-infinity", "-Infinity")


@dataclass(frozen=True, slots=True)
class Statistics:
    """What `pg_stats` has of one column, values as text.

    Attributes:
        distinct: number of different values, never the negative share.
        bounds: of the histogram; empty when the common values are all there are.
    """

    nulls: float
    distinct: float
    common: tuple[str, ...] = ()
    frequencies: tuple[float, ...] = ()
    bounds: tuple[str, ...] = ()

    @property
    def spread(self) -> float:
        """Share of the rows whose values are not common ones."""
        return max(1.0 - self.nulls - sum(self.frequencies), 0.0)


@dataclass(frozen=True, slots=True)
class Distribution:
    """The three views of it that `Column` has."""

    values: tuple[Value, ...]
    ladder: tuple[Step, ...]
    prefixes: tuple[Value, ...]


def from_sample(values: Sequence[str | None], family: Family) -> Statistics:
    """Statistics of a sample's values, where a table was never analyzed."""
    present = [value for value in values if value is not None]
    counts = Counter(present)
    common = [(value, count) for value, count in counts.most_common(BUCKETS) if count > 1]
    others = sorted(set(counts) - {value for value, _ in common}, key=_order(family))
    step = max(len(others) / BUCKETS, 1.0)
    bounds = [others[int(place * step)] for place in range(int(len(others) / step))]
    return Statistics(
        nulls=1.0 - len(present) / len(values),
        distinct=float(len(counts)),
        common=tuple(value for value, _ in common),
        frequencies=tuple(count / len(values) for _, count in common),
        bounds=tuple(bounds) if len(bounds) > 1 else (),
    )


def distribution(statistics: Statistics, family: Family) -> Distribution:
    """What the statistics say, with the values as SQL that compares with the column."""
    literal = _number if family is Family.NUMBER else _literal
    ordered = family in (Family.NUMBER, Family.TIME)
    return Distribution(
        values=tuple(_values(statistics, literal)),
        ladder=tuple(_ladder(statistics, literal, _order(family))) if ordered else (),
        prefixes=tuple(_prefixes(statistics)) if family is Family.TEXT else (),
    )


def _literal(text: str) -> str:
    """Quoted and without a type: compared with a column it takes the column's."""
    return sql.Literal(text).as_string(None).strip()


def _number(text: str) -> str:
    """As people write it, where nothing is lost by that."""
    return text if re.fullmatch(r"-?\d{1,15}(\.\d{1,6})?", text) else _literal(text)


def _order(family: Family) -> Callable[[str], float | str]:
    """Ascending as the server has them: times as text are written year first."""
    return float if family is Family.NUMBER else str


def _usable(text: str) -> bool:
    return 0 < len(text) <= LONGEST_VALUE and text.isprintable()


def _values(statistics: Statistics, literal: Callable[[str], str]) -> Iterator[Value]:
    pairs = zip(statistics.common, statistics.frequencies, strict=True)
    yield from (Value(literal(text), share) for text, share in pairs if _usable(text))
    others = statistics.distinct - len(statistics.common)
    if others > 0 and statistics.bounds:
        share = statistics.spread / others
        yield from (
            Value(literal(text), share)
            for text in _scattered(statistics.bounds)
            if _usable(text) and text not in statistics.common
        )


def _scattered(bounds: Sequence[str]) -> list[str]:
    """Both ends, and some between them."""
    count = min(len(bounds), SCATTERED)
    places = {round(place * (len(bounds) - 1) / max(count - 1, 1)) for place in range(count)}
    return [bounds[place] for place in sorted(places)]


def _ladder(
    statistics: Statistics, literal: Callable[[str], str], order: Callable[[str], float | str]
) -> Iterator[Step]:
    """Every bound and common value, with the share of rows below it."""
    common = sorted(
        (order(text), share)
        for text, share in zip(statistics.common, statistics.frequencies, strict=True)
        if _finite(text)
    )
    keys = [key for key, _ in common]
    sums = [0.0, *accumulate(share for _, share in common)]
    bounds = [text for text in statistics.bounds if _finite(text)]
    edges = [order(text) for text in bounds]
    points = {order(text): text for text in (*bounds, *statistics.common) if _finite(text)}
    highest = 0.0
    for key in sorted(points):
        in_histogram = statistics.spread * _fraction_below(edges, key)
        highest = max(highest, sums[bisect_left(keys, key)] + in_histogram)
        yield Step(literal(points[key]), highest)


def _fraction_below(edges: Sequence[float | str], key: float | str) -> float:
    """Share of the histogram's values below `key`, to the nearest bound."""
    if len(edges) < 2:
        return 0.0
    return min(bisect_left(edges, key) / (len(edges) - 1), 1.0)


def _finite(text: str) -> bool:
    return _usable(text) and text not in _NOT_FINITE and not text.endswith(" BC")


def _prefixes(statistics: Statistics) -> Iterator[Value]:
    """Patterns with the share of rows that they match."""
    shares: defaultdict[str, float] = defaultdict(float)
    support: Counter[str] = Counter()
    each = statistics.spread / max(len(statistics.bounds), 1)
    pairs = list(zip(statistics.common, statistics.frequencies, strict=True))
    for text, share, count in (
        *((text, share, FEWEST_OF_PREFIX) for text, share in pairs),
        *((text, each, 1) for text in statistics.bounds),
    ):
        for length in PREFIX_LENGTHS:
            prefix = text[:length]
            if len(prefix) == length and _usable(prefix) and not set(prefix) & set("%_\\"):
                shares[prefix] += share
                support[prefix] += count
    for prefix, share in sorted(shares.items(), key=lambda item: (-item[1], item[0])):
        if support[prefix] >= FEWEST_OF_PREFIX and share > 0 and not math.isclose(share, 1.0):
            yield Value(_literal(f"{prefix}%"), share)
