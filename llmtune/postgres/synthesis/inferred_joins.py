"""Join keys of a schema without foreign keys: by name and type, verified by values.

A column joins a unique column of its type when nearly all of its sampled values are
found there. Where several columns hold them, the name decides, and then the smallest
relation, whose keys it fills best.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg

from llmtune.postgres.plans import set_locally
from llmtune.postgres.target import Connection
from workloads.synthesis.facts import Column, Family, Join, Relation, SchemaFacts

FOUND = 0.98
"""Share of a column's sampled values that must be found among the keys."""

FILLED = 0.02
"""A name that says nothing is overlooked only when at least this share of the keys occurs."""

_PATIENCE = "20s"
"""For one look at one relation's keys."""

_WHOLE = frozenset({"int2", "int4", "int8"})
_KEYS = _WHOLE | {"uuid", "text", "varchar", "bpchar"}
_KEY_ENDS = frozenset({"id", "key", "fk", "sk", "ref"})
_KEY_WORDS = _KEY_ENDS | {"no", "nr", "num", "code"}


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A column and a key that it may refer to.

    Attributes:
        score: 2 when the names mean the same, 1 when they share a word, else 0.
    """

    child: Relation
    column: Column
    parent: Relation
    key: Column
    score: int

    def join(self) -> Join:
        return Join(self.child.name, (self.column.name,), self.parent.name, (self.key.name,))


def infer_joins(connection: Connection, facts: SchemaFacts) -> tuple[Join, ...]:
    """The joins that names, types and values speak for.

    Columns with many values come first: they tell keys apart, and other columns of
    their name follow them.
    """
    found: list[_Candidate] = []
    columns = [(child, column) for child in facts.relations for column in child.columns]
    for child, column in sorted(columns, key=lambda pair: -pair[1].distinct):
        candidates = [*_followed(found, child, column), *_candidates(facts, child, column)]
        for candidate in sorted(candidates, key=lambda one: -one.score):
            reverse = any(_reverses(candidate, old) for old in found)
            if not reverse and _verified(connection, candidate):
                found.append(candidate)
                break
    joins = (candidate.join() for candidate in found)
    return tuple(sorted(joins, key=lambda join: (join.child, join.child_columns)))


def _followed(found: Sequence[_Candidate], child: Relation, column: Column) -> Iterator[_Candidate]:
    """The keys to which columns that mean the same refer already: `linked_movie_id`
    follows `movie_id`."""
    wanted = _words(child, column)
    for old in found:
        words = _words(old.child, old.column)
        named = bool(words) and words[-1:] == wanted[-1:] and set(words) <= set(wanted)
        if named and column.type in _alike(old.column.type) and not column.unique:
            score = 2 if words == wanted else 1
            yield _Candidate(child, column, old.parent, old.key, score)


def _candidates(facts: SchemaFacts, child: Relation, column: Column) -> list[_Candidate]:
    """The keys that a column may refer to, the likeliest first."""
    made = [
        _Candidate(child, column, parent, key, _score(child, column, parent, key))
        for parent in facts.relations
        for key in parent.columns
        if _is_key(parent, key) and key.type in _alike(column.type) and key is not column
    ]
    kept = [candidate for candidate in made if _plausible(candidate)]
    return sorted(kept, key=lambda one: (-one.score, one.parent.rows, one.parent.name))


def _is_key(relation: Relation, column: Column) -> bool:
    return column.unique or (relation.rows > 1 and column.distinct >= relation.rows)


def _alike(type_name: str) -> frozenset[str]:
    """Types that join with this one; none for what is no key."""
    if type_name not in _KEYS:
        return frozenset()
    return _WHOLE if type_name in _WHOLE else frozenset({type_name})


def _plausible(candidate: _Candidate) -> bool:
    """Whether the names allow it; without a word in common much more is asked."""
    child, column, parent = candidate.child, candidate.column, candidate.parent
    wanted = _words(child, column)
    if column.unique or not wanted:
        # Keys that merely count from 1 hold each other's values.
        return candidate.score == 2 and child.rows < parent.rows
    if child is not parent and any(
        _words(parent, other) == wanted
        for other in parent.columns
        if other.type in _alike(column.type) and not _is_key(parent, other)
    ):
        # It refers to the same thing itself, as two lists about movies do.
        return False
    if candidate.score:
        return column.family is not Family.TEXT or candidate.score == 2
    named_key = bool(_tail(column.name) & _KEY_ENDS)
    return named_key and column.distinct >= FILLED * parent.rows


def _score(child: Relation, column: Column, parent: Relation, key: Column) -> int:
    """How well a column's name fits a key's, or that of its relation."""
    wanted, table = set(_words(child, column)), set(_singular(parent.name))
    if child is parent:
        return int(bool(wanted) and table <= wanted)
    names = [set(_words(parent, key)) or table, table]
    if wanted and wanted in names:
        return 2
    return int(any(wanted & name for name in names))


def _words(relation: Relation, column: Column) -> tuple[str, ...]:
    """The words of a column's name that say what it is, such as `order` of `l_orderkey`."""
    parts = _split(column.name)
    prefixes = {_split(each.name)[0] for each in relation.columns}
    if len(prefixes) == 1 and len(parts) > 1:
        parts = parts[1:]
    words = (re.sub(r"(?<=\w\w)(id|key)$", "", part) for part in parts)
    return tuple(word for word in words if word not in _KEY_WORDS)


def _tail(name: str) -> frozenset[str]:
    """The last word, also where it is stuck to the one before."""
    last = _split(name)[-1]
    return frozenset({last, *re.findall(r"(id|key)$", last)})


def _split(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return [part.lower() for part in re.split(r"[\W_]+", spaced) if part] or [name]


def _singular(name: str) -> tuple[str, ...]:
    return tuple(re.sub(r"(?<=\w\w)s$", "", part) for part in _split(name.rpartition(".")[2]))


def _reverses(candidate: _Candidate, old: _Candidate) -> bool:
    return (candidate.column, candidate.key) == (old.key, old.column)


def _verified(connection: Connection, candidate: _Candidate) -> bool:
    """Whether the column's known values, which spread over its range, are among the keys."""
    values = [value.sql for value in candidate.column.values]
    if not values:
        return False
    key, parent = candidate.key.sql, candidate.parent.sql
    # All quoted where the facts were read.
    listed = ", ".join(values)
    count = f"SELECT count(DISTINCT {key}) FROM {parent} WHERE {key} IN ({listed})"  # noqa: S608
    try:
        with connection.transaction():
            set_locally(connection, {"statement_timeout": _PATIENCE})
            row = connection.execute(count.encode()).fetchone()
    except psycopg.errors.QueryCanceled:
        return False  # keys without an index, in more rows than can be looked through
    except psycopg.errors.DataError:
        return False  # a bigint that no key of a smaller type can be
    return row is not None and row[0] >= FOUND * len(set(values))
