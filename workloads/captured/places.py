"""Where the parameters of a statement stand: what each is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from workloads.captured.scope import Column, Scope
from workloads.effects import called, children, walk

if TYPE_CHECKING:
    from pglast.ast import A_Expr, Node


class Role(StrEnum):
    """How a parameter's value is used."""

    EQUAL = "equal"
    LOWER = "lower"
    UPPER = "upper"
    LIKE = "like"
    LIMIT = "limit"
    OFFSET = "offset"
    OUTPUT = "output"
    FIELD = "field"
    OTHER = "other"


_ROLES = {"=": Role.EQUAL, "<>": Role.EQUAL, "<": Role.UPPER, "<=": Role.UPPER}
_ROLES |= {">": Role.LOWER, ">=": Role.LOWER, "~~": Role.LIKE, "!~~": Role.LIKE}
_ROLES |= {"~~*": Role.LIKE, "!~~*": Role.LIKE}
_MIRRORED = {Role.LOWER: Role.UPPER, Role.UPPER: Role.LOWER}
_SUMS = ("+", "-", "*", "/")
_FOLDS = ("lower", "upper")
_FIELD_OF = ("extract", "date_part", "date_trunc")
"""Functions whose first argument names a part of a date."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one parameter stands.

    Attributes:
        column: what it is compared with or assigned to; None when that is no column.
        cast: the type that the statement gives it, such as `date`; empty without one.
        fold: `lower` or `upper` when it is compared with a column so folded.
        array: it is the array of `= ANY ($1)`.
    """

    number: int
    role: Role = Role.OTHER
    column: Column | None = None
    cast: str = ""
    fold: str = ""
    array: bool = False


def places_in(statement: Node) -> dict[int, Place]:
    """The place of each parameter by its number; of several the one with a column."""
    finder = _Finder()
    finder.visit(statement, Scope())
    return dict(sorted(finder.found.items()))


@dataclass(slots=True)
class _Finder:
    found: dict[int, Place] = field(default_factory=dict)

    def visit(self, node: Node, scope: Scope) -> None:
        scope = scope.entered(node)
        for place in _places_at(node, scope):
            self._add(place)
        for below in children(node):
            self.visit(below, scope)

    def _add(self, place: Place) -> None:
        known = self.found.get(place.number)
        if known is None or _telling(place) > _telling(known):
            self.found[place.number] = replace(place, cast=place.cast or (known or place).cast)
        elif not known.cast:
            self.found[place.number] = replace(known, cast=place.cast)


def _telling(place: Place) -> int:
    return 2 * (place.column is not None) + (place.role is not Role.OTHER)


def _places_at(node: Node, scope: Scope) -> Iterator[Place]:
    """What one node says of the parameters in it."""
    from pglast.ast import A_Expr, ParamRef, TypeCast

    if isinstance(node, A_Expr):
        yield from _compared(node, scope)
    elif isinstance(node, TypeCast) and isinstance(node.arg, ParamRef):
        yield Place(node.arg.number or 0, cast=_type_name(node))
    elif isinstance(node, ParamRef):
        yield Place(node.number or 0)
    else:
        yield from _used(node, scope)


def _used(node: Node, scope: Scope) -> Iterator[Place]:
    """Parameters that are limits, assigned values, or values that are only put out."""
    from pglast.ast import CaseExpr, CaseWhen, CoalesceExpr, FuncCall, SelectStmt, UpdateStmt

    if isinstance(node, SelectStmt):
        yield from _direct(node.limitCount, Role.LIMIT)
        yield from _direct(node.limitOffset, Role.OFFSET)
        for target in node.targetList or ():
            yield from _direct(target.val, Role.OUTPUT)
    elif isinstance(node, FuncCall) and called(node) in _FIELD_OF and node.args:
        yield from _direct(node.args[0], Role.FIELD)
    elif isinstance(node, CaseWhen):
        yield from _direct(node.result, Role.OUTPUT)
    elif isinstance(node, CaseExpr):
        yield from _direct(node.defresult, Role.OUTPUT)
    elif isinstance(node, CoalesceExpr):
        for argument in node.args or ():
            yield from _direct(argument, Role.OUTPUT)
    elif isinstance(node, UpdateStmt):
        first = scope.tables[:1]
        for target in node.targetList or ():
            column = Column(target.name, tuple(table for _, table in first))
            yield from _direct(target.val, Role.EQUAL, column)


def _direct(node: Node | None, role: Role, column: Column | None = None) -> Iterator[Place]:
    from pglast.ast import ParamRef, TypeCast

    cast = ""
    if isinstance(node, TypeCast):
        cast, node = _type_name(node), node.arg
    if isinstance(node, ParamRef):
        yield Place(node.number or 0, role, column, cast)


def _compared(node: A_Expr, scope: Scope) -> Iterator[Place]:
    from pglast.ast import RowExpr
    from pglast.enums import A_Expr_Kind as Kind

    left, right = _listed(node.lexpr), _listed(node.rexpr)
    role = _ROLES.get(_operator(node), Role.OTHER)
    if node.kind in (Kind.AEXPR_BETWEEN, Kind.AEXPR_BETWEEN_SYM):
        yield from _pair(left[0], right[0], Role.LOWER, scope)
        yield from _pair(left[0], right[1], Role.UPPER, scope)
    elif left and isinstance(left[0], RowExpr):
        for row in right:
            values = row.args or () if isinstance(row, RowExpr) else ()
            for one, other in zip(left[0].args or (), values, strict=False):
                yield from _pair(one, other, role, scope)
    elif len(left) == 1:
        array = node.kind in (Kind.AEXPR_OP_ANY, Kind.AEXPR_OP_ALL)
        for value in right:
            yield from _pair(left[0], value, role, scope, array=array)
            yield from _pair(value, left[0], _MIRRORED.get(role, role), scope)


def _pair(
    tested: Node, value: Node, role: Role, scope: Scope, *, array: bool = False
) -> Iterator[Place]:
    """The parameters of `value`, when `tested` is a column."""
    fold = called(tested) if called(tested) in _FOLDS else ""
    column = scope.column(_bare(tested))
    if column is None or role is Role.OTHER:
        return
    # Of `$1 + $2` only the first is like the column, the other one says how far from it.
    for number, cast in islice(_parameters(value), 1):
        yield Place(number, role, column, cast, fold, array)


def _parameters(node: Node) -> Iterator[tuple[int, str]]:
    """The parameters of a value or of a calculation with their casts."""
    from pglast.ast import A_Expr, ParamRef, TypeCast

    if isinstance(node, TypeCast) and isinstance(node.arg, ParamRef):
        yield node.arg.number or 0, _type_name(node)
    elif isinstance(node, ParamRef):
        yield node.number or 0, ""
    elif isinstance(node, TypeCast) or (isinstance(node, A_Expr) and _operator(node) in _SUMS):
        for below in children(node):
            yield from _parameters(below)


def _operator(node: A_Expr) -> str:
    return str(getattr((node.name or ("",))[-1], "sval", ""))


def _bare(node: Node) -> Node:
    """The node without its casts, or the argument of lower() and upper()."""
    from pglast.ast import FuncCall, TypeCast

    while isinstance(node, TypeCast) and node.arg is not None:
        node = node.arg
    if isinstance(node, FuncCall) and called(node) in _FOLDS and node.args:
        return _bare(node.args[0])
    return node


def _listed(value: object) -> list[Node]:
    from pglast.ast import Node as AnyNode

    if isinstance(value, AnyNode):
        return [value]
    return [one for one in value if isinstance(one, AnyNode)] if isinstance(value, tuple) else []


def _type_name(node: Node) -> str:
    from pglast.ast import TypeName

    names = next((one.names for one in walk(node) if isinstance(one, TypeName)), None)
    return str(getattr(names[-1], "sval", "")) if names else ""
