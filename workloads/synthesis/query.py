"""One random analytic query: joins, filters, grouping, aggregates, order and limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from workloads.synthesis.facts import SchemaFacts
from workloads.synthesis.join_tree import JoinTree, draw_tree
from workloads.synthesis.output import Output, draw_output
from workloads.synthesis.predicates import Predicate, can_filter, draw_predicate

NARROWEST = -4.0
"""Decimal exponent of the smallest share of a join's rows that the filters keep."""

FEWEST_ROWS = 20.0
"""Filters are not drawn so narrow that fewer rows are left."""

MOST_FILTERS = 4


@dataclass(frozen=True, slots=True)
class Draft:
    """A query as drawn, not tried yet."""

    tree: JoinTree
    filters: tuple[Predicate, ...]
    output: Output

    @property
    def sql(self) -> str:
        """The statement, one clause a line."""
        lines = [f"SELECT {self.output.columns}", f"FROM {self.tree.source()}"]
        if self.filters:
            lines.append("WHERE " + "\n  AND ".join(each.sql for each in self.filters))
        return "\n".join([*lines, *self.output.clauses])


def draw_query(rng: Random, facts: SchemaFacts) -> Draft:
    """A query over one to eight relations; equal generators draw equal queries.

    Raises:
        ValueError: the facts have no relation.
    """
    if not facts.relations:
        raise ValueError("a query needs at least one relation")
    tree = draw_tree(rng, facts)
    filters = _filters(rng, tree)
    rows = tree.rows * math.prod(each.share for each in filters)
    return Draft(tree, filters, draw_output(rng, tree, rows))


def _filters(rng: Random, tree: JoinTree) -> tuple[Predicate, ...]:
    """Predicates on some columns, which keep a random share of the rows together."""
    columns = [
        (node.alias, column)
        for node in tree.nodes
        for column in node.relation.columns
        if can_filter(column)
    ]
    most = min(len(columns), len(tree.nodes) + 1, MOST_FILTERS)
    chosen = rng.sample(columns, rng.randint(min(most, 1), most))
    smallest = max(NARROWEST, math.log10(min(FEWEST_ROWS / max(tree.rows, 1.0), 1.0)))
    exponents = _split(rng, rng.uniform(smallest, 0.0), len(chosen))
    drawn = (
        draw_predicate(rng, column, alias, 10.0**exponent)
        for (alias, column), exponent in zip(chosen, exponents, strict=True)
    )
    return tuple(predicate for predicate in drawn if predicate is not None)


def _split(rng: Random, total: float, count: int) -> list[float]:
    """`total` in `count` random parts."""
    cuts = sorted(rng.uniform(0.0, total) for _ in range(count - 1))
    edges = [total, *cuts, 0.0] if count else []
    return [low - high for low, high in pairwise(edges)]
