"""What a query of the Join Order Benchmark is made of: a graph and filters.

A family is one graph of relations and joins. A variant adds filters, each on one
relation, and names the columns whose minimum is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, TypeAlias

Value: TypeAlias = str | int
Edge: TypeAlias = "tuple[Column, Column]"
Filter: TypeAlias = "Comparison | Combination"

ARITY = {"IS NULL": 0, "IS NOT NULL": 0, "BETWEEN": 2} | dict.fromkeys(
    ("=", "<>", "<", ">", ">=", "LIKE", "NOT LIKE"), 1
)
"""How many values each operator compares with; IN takes one or more."""


class Relation(NamedTuple):
    """One occurrence of a table in a query."""

    table: str
    alias: str


class Column(NamedTuple):
    """A column of the relation with this alias."""

    alias: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Column:
        """The column written as `alias.name`.

        Raises:
            ValueError: it is not written so.
        """
        alias, dot, name = text.partition(".")
        if not (alias and dot and name):
            raise ValueError(f"{text!r} is not a column of the form alias.name")
        return cls(alias, name)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column compared with values."""

    column: Column
    operator: str
    values: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        allowed = bool(self.values) if self.operator == "IN" else self._has_arity()
        if not allowed:
            raise ValueError(f"{self.operator} cannot compare with {self.values}")

    def _has_arity(self) -> bool:
        return ARITY.get(self.operator) == len(self.values)

    @property
    def alias(self) -> str:
        """The relation that it filters."""
        return self.column.alias

    def comparisons(self) -> Iterator[Comparison]:
        """Itself, so that every filter can be asked."""
        yield self


@dataclass(frozen=True, slots=True)
class Combination:
    """Filters on one relation, joined by AND or OR."""

    word: str
    filters: tuple[Filter, ...]

    def __post_init__(self) -> None:
        if self.word not in ("AND", "OR"):
            raise ValueError(f"filters are joined by AND or OR, not by {self.word}")
        if len(self.filters) < 2 or len({part.alias for part in self.filters}) > 1:
            raise ValueError(f"{self.word} joins two or more filters on one relation")

    @property
    def alias(self) -> str:
        """The relation that it filters."""
        return self.filters[0].alias

    def comparisons(self) -> Iterator[Comparison]:
        """Every comparison in it, in order."""
        for part in self.filters:
            yield from part.comparisons()


@dataclass(frozen=True, slots=True)
class Join:
    """Columns that are pairwise equal."""

    columns: tuple[Column, ...]

    def edges(self) -> Iterator[Edge]:
        """Every pair of its columns."""
        return combinations(self.columns, 2)


@dataclass(frozen=True, slots=True)
class Variant:
    """The filters and outputs that make a query of a family's graph.

    Attributes:
        id: the query's, such as `1a`; drawn ones have a number, such as `1.2`.
        outputs: columns whose minimum the query asks for.
    """

    id: str
    filters: tuple[Filter, ...]
    outputs: tuple[Column, ...]

    def columns(self) -> Iterator[Column]:
        """Every column that it names."""
        yield from self.outputs
        for part in self.filters:
            for comparison in part.comparisons():
                yield comparison.column


@dataclass(frozen=True, slots=True)
class Family:
    """One graph and its published variants."""

    number: int
    relations: tuple[Relation, ...]
    joins: tuple[Join, ...]
    variants: tuple[Variant, ...]

    def __post_init__(self) -> None:
        known = {relation.alias for relation in self.relations}
        named = [column for join in self.joins for column in join.columns]
        named += [column for variant in self.variants for column in variant.columns()]
        for column in named:
            if column.alias not in known:
                raise ValueError(f"family {self.number} has no relation {column.alias}")

    def table(self, alias: str) -> str:
        """The table behind a relation's alias."""
        return next(relation.table for relation in self.relations if relation.alias == alias)

    def edges(self) -> tuple[Edge, ...]:
        """Its join edges, each once."""
        return tuple(dict.fromkeys(edge for join in self.joins for edge in join.edges()))
