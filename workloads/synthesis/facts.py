"""What synthesis knows of a schema: relations, columns with their values, and joins.

Whoever reads the facts from a server writes every identifier and value as SQL text,
quoted as the server wants it; whoever draws queries only puts such texts together.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """What can be done with a column's type."""

    NUMBER = "number"
    TIME = "time"
    TEXT = "text"
    CHOICE = "choice"
    OTHER = "other"
    """Joined by at most: never filtered, grouped or aggregated."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value, or the pattern of a prefix, as SQL text.

    Attributes:
        share: of the relation's rows that equal it, or match it.
    """

    sql: str
    share: float


@dataclass(frozen=True, slots=True)
class Step:
    """A point of a column's cumulative distribution.

    Attributes:
        below: share of the relation's rows with a smaller value.
    """

    sql: str
    below: float


@dataclass(frozen=True, slots=True)
class Column:
    """A column and the distribution of its values.

    Attributes:
        name: as the catalogue has it.
        sql: the name, quoted where it must be.
        type: its name in the catalogue, such as `int8`; of a domain, that of its base.
        nulls: share of rows without a value.
        distinct: number of different values.
        unique: no value occurs twice.
        values: single ones, the most frequent first.
        ladder: ascending, for families that are ordered alike everywhere.
        prefixes: patterns for LIKE, of texts.
    """

    name: str
    sql: str
    type: str
    family: Family
    nulls: float
    distinct: float
    unique: bool = False
    values: tuple[Value, ...] = ()
    ladder: tuple[Step, ...] = ()
    prefixes: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        below = [step.below for step in self.ladder]
        if below != sorted(below):
            raise ValueError(f"column {self.name}: its distribution must ascend")


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, partitioned table or materialized view that has rows.

    Attributes:
        name: unique in the facts: qualified where the search path does not find it.
        sql: the name, quoted where it must be.
    """

    name: str
    sql: str
    rows: float
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """The column of this name."""
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True, slots=True)
class Join:
    """Each row of `child` has at most one of `parent`, by equality of these columns."""

    child: str
    child_columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.child_columns or len(self.child_columns) != len(self.parent_columns):
            raise ValueError(f"join of {self.child} and {self.parent}: columns do not pair up")


@dataclass(frozen=True, slots=True)
class SchemaFacts:
    """One database's relations, and how they may be joined."""

    relations: tuple[Relation, ...]
    joins: tuple[Join, ...]

    def relation(self, name: str) -> Relation:
        """The relation of this name."""
        return next(relation for relation in self.relations if relation.name == name)

    def joins_of(self, name: str) -> tuple[Join, ...]:
        """Those in which a relation takes part."""
        return tuple(join for join in self.joins if name in (join.child, join.parent))
