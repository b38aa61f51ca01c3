"""What a statement does to data, decided from its parse tree: reads, writes, or no query."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pglast.ast import Node

_READS = {"SelectStmt"}
_WRITES = {"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CreateTableAsStmt"}
_WRITING_CLAUSES = {"IntoClause", "LockingClause"}
"""SELECT INTO makes a table; SELECT FOR UPDATE and its like mark the rows they lock."""

_BEGINNINGS = {"SELECT", "WITH", "VALUES", "TABLE", "ASCII_40", "CREATE"}
_BEGINNINGS |= {"INSERT", "UPDATE", "DELETE_P", "MERGE"}
"""First words of queries as the parser names them; `ASCII_40` is a parenthesis."""

_REASONS = {
    "TransactionStmt": "every query runs by itself, in a transaction of its own if it writes",
    "VariableSetStmt": "settings are what LLMTune changes; give others to the role or the "
    "database (ALTER DATABASE ... SET)",
    "VariableShowStmt": "it only shows a setting",
    "AlterSystemStmt": "settings are what LLMTune changes, and this cannot be rolled back",
    "VacuumStmt": "it is maintenance, which cannot be planned or rolled back",
    "ExplainStmt": "write the query without EXPLAIN",
    "CopyStmt": "COPY cannot be planned; to read, write the query itself",
    "NotifyStmt": "a notification reaches other sessions",
    "CreatedbStmt": "it cannot be rolled back",
    "DropdbStmt": "it cannot be rolled back",
    "CreateTableSpaceStmt": "it cannot be rolled back",
    "CallStmt": "a procedure may commit, and what it does cannot be planned",
    "DoStmt": "what it does cannot be planned; write its queries",
    "ExecuteStmt": "write the prepared query itself",
    "PrepareStmt": "write the query itself, with values for its parameters",
    "DeclareCursorStmt": "write the cursor's query itself",
    "FetchStmt": "write the cursor's query itself",
    "TruncateStmt": "it cannot be planned",
}
_OTHERWISE = "it is no query: there is nothing that the server could plan"

_LASTING = {
    "setval": "a sequence keeps its new value",
    "set_config": "settings are what LLMTune changes",
    "pg_notify": "a notification reaches other sessions",
    "pg_reload_conf": "it acts on the whole server",
    "pg_rotate_logfile": "it acts on the whole server",
    "pg_switch_wal": "it acts on the whole server",
    "pg_promote": "it acts on the whole server",
    "pg_cancel_backend": "it acts on other sessions",
    "pg_terminate_backend": "it acts on other sessions",
    "pg_advisory_lock": "the lock would outlive the query",
    "pg_advisory_lock_shared": "the lock would outlive the query",
    "pg_try_advisory_lock": "the lock would outlive the query",
    "pg_try_advisory_lock_shared": "the lock would outlive the query",
    "pg_drop_replication_slot": "replication depends on its slots",
    "pg_logical_emit_message": "the message is in the WAL for good",
    "pg_stat_statements_reset": "statistics are lost",
    "lo_export": "it writes a file on the server",
}
"""Functions whose effect outlives a rollback."""

_LASTING_FAMILIES = {
    "pg_stat_reset": "statistics are lost",
    "pg_advisory_unlock": "it lets go of locks that others count on",
    "pg_create_logical_replication_slot": "replication depends on its slots",
    "pg_create_physical_replication_slot": "replication depends on its slots",
    "pg_replication_": "replication depends on it",
    "dblink": "it acts on another database",
}
"""The same for all functions whose names begin so."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What running a statement would do.

    Attributes:
        writes: it changes data, makes a table or locks rows; a rollback undoes it,
            but for the values that sequences have given out.
        refusal: why it cannot be a query of a workload; empty when it can.
    """

    writes: bool = False
    refusal: str = ""


def effect_of(statement: Node) -> Effect:
    """The effect of one parsed statement.

    A function that the parse tree does not explain counts as reading: only the
    server knows, and refuses it in a transaction that may not write.
    """
    kind = type(statement).__name__
    if kind not in _READS | _WRITES:
        return Effect(refusal=_REASONS.get(kind, _OTHERWISE))
    nodes = list(walk(statement))
    for name in map(called, nodes):
        if reason := _lasting(name):
            return Effect(refusal=f"{name}() is not undone by a rollback: {reason}")
    inside = {type(node).__name__ for node in nodes}
    nextval = any(called(node) == "nextval" for node in nodes)
    return Effect(writes=bool(inside & (_WRITES | _WRITING_CLAUSES)) or nextval)


def _lasting(name: str) -> str:
    """Why a function's effect outlives a rollback; empty where none is known."""
    families = (reason for start, reason in _LASTING_FAMILIES.items() if name.startswith(start))
    return _LASTING.get(name) or next(families, "")


def may_be_query(sql: str) -> bool:
    """Whether a text begins as a query does; the server shows `SET a TO $1`, which is no SQL."""
    from pglast import scan
    from pglast.parser import ParseError

    try:
        words = (token.name for token in scan(sql) if not token.name.endswith("_COMMENT"))
        return next(words, "") in _BEGINNINGS
    except ParseError:
        return True


def called(node: Node) -> str:
    """The unqualified name of the function that `node` calls, empty where it calls none."""
    from pglast.ast import FuncCall, String

    last = node.funcname[-1] if isinstance(node, FuncCall) and node.funcname else None
    return (last.sval or "") if isinstance(last, String) else ""


def parameters_in(node: Node) -> frozenset[int]:
    """The numbers of the parameters, such as `$1`, in the node and below."""
    from pglast.ast import ParamRef

    return frozenset(one.number or 0 for one in walk(node) if isinstance(one, ParamRef))


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, parents first."""
    yield node
    for below in children(node):
        yield from walk(below)


def children(node: Node) -> Iterator[Node]:
    """The nodes right below `node`, in the order of its attributes; lists are seen through."""
    for name in node:
        yield from _nodes(getattr(node, name))


def _nodes(value: object) -> Iterator[Node]:
    from pglast.ast import Node as AnyNode

    if isinstance(value, AnyNode):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _nodes(each)
