"""Which tables a column of a statement may belong to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workloads.effects import children

if TYPE_CHECKING:
    from pglast.ast import Node

_STATEMENTS = ("SelectStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "InsertStmt")
_TABLES = ("relation", "fromClause", "usingClause", "sourceRelation")
"""Where statements name their tables."""


@dataclass(frozen=True, slots=True)
class TableName:
    """A table as a statement names it; `schema` is empty where it names none."""

    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column and the tables that may have it, the likeliest first."""

    name: str
    tables: tuple[TableName, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """The tables that can be seen at one place of a statement, innermost first.

    Attributes:
        tables: pairs of alias and table.
        ctes: names that stand for subqueries instead.
    """

    tables: tuple[tuple[str, TableName], ...] = ()
    ctes: frozenset[str | None] = frozenset()

    def entered(self, node: Node) -> Scope:
        """The scope inside `node`: more tables when that is a statement."""
        from pglast.ast import CommonTableExpr

        if isinstance(node, CommonTableExpr):
            # `WITH t AS (SELECT * FROM t)` reads the table.
            return replace(self, ctes=self.ctes - {node.ctename})
        if type(node).__name__ not in _STATEMENTS:
            return self
        inner = replace(self, ctes=self.ctes | frozenset(_cte_names(node)))
        own = tuple(inner._named(node))
        return replace(inner, tables=(*own, *self.tables))

    def column(self, node: Node) -> Column | None:
        """The column that a reference means; None for a star or a subquery's column."""
        from pglast.ast import ColumnRef, String

        if not isinstance(node, ColumnRef):
            return None
        words = [part.sval or "" for part in node.fields or () if isinstance(part, String)]
        if len(words) != len(node.fields or ()):
            return None
        *qualifier, name = words
        alias = qualifier[-1] if qualifier else None
        tables = [table for known, table in self.tables if alias in (None, known)]
        return Column(name, tuple(dict.fromkeys(tables))) if tables else None

    def _named(self, statement: Node) -> Iterator[tuple[str, TableName]]:
        from pglast.ast import Node as AnyNode

        for name in _TABLES:
            value = getattr(statement, name, None) or ()
            for one in (value,) if isinstance(value, AnyNode) else value:
                yield from self._from(one)

    def _from(self, node: Node) -> Iterator[tuple[str, TableName]]:
        from pglast.ast import JoinExpr, RangeVar

        if isinstance(node, JoinExpr):
            for side in children(node):
                yield from self._from(side)
        elif isinstance(node, RangeVar) and (node.schemaname or node.relname not in self.ctes):
            name = node.relname or ""
            alias = node.alias.aliasname if node.alias else name
            yield alias or "", TableName(node.schemaname or "", name)


def _cte_names(statement: Node) -> Iterator[str]:
    clause = getattr(statement, "withClause", None)
    for cte in (clause.ctes or ()) if clause else ():
        yield cte.ctename


def tables_of(statement: Node) -> frozenset[TableName]:
    """Every table that a statement names anywhere."""
    return frozenset(_tables(statement, Scope()))


def _tables(node: Node, scope: Scope) -> Iterator[TableName]:
    inner = scope.entered(node)
    for _, table in inner.tables[: len(inner.tables) - len(scope.tables)]:
        yield table
    for below in children(node):
        yield from _tables(below, inner)
