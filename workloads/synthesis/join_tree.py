"""Random join trees: which relations a query joins, and by which columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import TypeVar

from workloads.synthesis.facts import Join, Relation, SchemaFacts

SIZES = {1: 2, 2: 4, 3: 5, 4: 5, 5: 4, 6: 3, 7: 2, 8: 1}
"""Number of relations to its weight. Up to eight, the planner tries every order."""

MOST_ROWS = 2.0
"""Joins may have this many times the largest relation's rows, before any filter."""

REPEATED = 0.3
"""Chance that a relation may join once more by other columns: nation of the customer and
of the supplier."""

SELF_JOINED = 0.05
"""Chance that it may join once more by the same columns: siblings of one parent."""

T = TypeVar("T")


class Form(StrEnum):
    """Where a tree grows: from its first relation, its last, or any."""

    STAR = "star"
    CHAIN = "chain"
    SNOWFLAKE = "snowflake"


@dataclass(frozen=True, slots=True)
class Node:
    """One relation of a tree under its alias."""

    alias: str
    relation: Relation


@dataclass(frozen=True, slots=True)
class Link:
    """A join between two nodes of a tree."""

    join: Join
    child: Node
    parent: Node

    def condition(self) -> str:
        """Equality of the columns, as SQL."""
        pairs = zip(self.join.child_columns, self.join.parent_columns, strict=True)
        return " AND ".join(
            f"{self.child.alias}.{self.child.relation.column(child).sql} = "
            f"{self.parent.alias}.{self.parent.relation.column(parent).sql}"
            for child, parent in pairs
        )


@dataclass(frozen=True, slots=True)
class JoinTree:
    """Nodes, and for each but the first the link that joined it.

    Attributes:
        rows: estimated rows of the join before any filter.
    """

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    rows: float

    def source(self) -> str:
        """The FROM clause, as SQL."""
        first, *others = (f"{node.relation.sql} AS {node.alias}" for node in self.nodes)
        joined = zip(others, self.links, strict=True)
        return "\n".join([first, *(f"JOIN {name} ON {link.condition()}" for name, link in joined)])


def draw_tree(rng: Random, facts: SchemaFacts) -> JoinTree:
    """A connected tree; smaller than drawn where the schema has no more to join."""
    size = _weighted(rng, list(SIZES), list(SIZES.values()))
    degrees = [len(facts.joins_of(relation.name)) for relation in facts.relations]
    # With nothing to join, every relation is as good.
    weights = degrees if size > 1 and any(degrees) else [1] * len(degrees)
    first = Node("t1", _weighted(rng, facts.relations, weights))
    tree = JoinTree((first,), (), first.relation.rows)
    form = rng.choice(list(Form))
    while len(tree.nodes) < size:
        grown = _grown(rng, facts, tree, form)
        if grown is None:
            break
        tree = grown
    return tree


def _weighted(rng: Random, choices: Sequence[T], weights: Sequence[float]) -> T:
    return rng.choices(choices, weights)[0]


def _grown(rng: Random, facts: SchemaFacts, tree: JoinTree, form: Form) -> JoinTree | None:
    """The tree with one more relation; None when it cannot grow in its form."""
    limit = MOST_ROWS * max(relation.rows for relation in facts.relations)
    steps = [step for node in _anchors(tree, form) for step in _steps(facts, tree, node)]
    rng.shuffle(steps)
    for link, rows in steps:
        if rows <= limit and _wanted(rng, tree, link):
            return replace(
                tree, nodes=(*tree.nodes, _new(tree, link)), links=(*tree.links, link), rows=rows
            )
    return None


def _anchors(tree: JoinTree, form: Form) -> tuple[Node, ...]:
    if form is Form.STAR:
        return tree.nodes[:1]
    return tree.nodes[-1:] if form is Form.CHAIN else tree.nodes


def _steps(facts: SchemaFacts, tree: JoinTree, anchor: Node) -> Iterator[tuple[Link, float]]:
    """Every link from `anchor` to a new node, with the rows of the join then."""
    alias = f"t{len(tree.nodes) + 1}"
    for join in facts.joins_of(anchor.relation.name):
        if join.child == anchor.relation.name:
            link = Link(join, anchor, Node(alias, facts.relation(join.parent)))
            if not any(old.join == join and old.child == anchor for old in tree.links):
                yield link, tree.rows
        if join.parent == anchor.relation.name:
            child = Node(alias, facts.relation(join.child))
            yield Link(join, child, anchor), tree.rows * child.relation.rows / anchor.relation.rows


def _wanted(rng: Random, tree: JoinTree, link: Link) -> bool:
    """Whether to take a link; repeated relations are rare."""
    if any(old.join == link.join for old in tree.links):
        return rng.random() < SELF_JOINED
    names = [node.relation.name for node in tree.nodes]
    return _new(tree, link).relation.name not in names or rng.random() < REPEATED


def _new(tree: JoinTree, link: Link) -> Node:
    return link.parent if link.child in tree.nodes else link.child
