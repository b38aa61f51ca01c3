"""The order of a timed pass: queries that tell configurations apart come first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import median

from llmtune.benchmark.history import History
from llmtune.postgres.plans import PlanNode
from workloads.workload import Query

ENOUGH = 3
"""Configurations under which half of the queries must have been timed before times decide."""

Plans = Mapping[str, PlanNode]


def discriminating(
    queries: Iterable[Query], history: History, default: Plans, plans: Plans
) -> tuple[Query, ...]:
    """`queries`, those first that advance a bad total most for each second they take.

    That is the weight times the spread of the query's times between configurations
    over their mean. With too few configurations behind the queries their plans decide:
    by how much the estimated cost changes more, or less, than that of the others.
    Ties stay in the workload's order.

    Args:
        default, plans: each query's under the baseline and under the new configuration.
    """
    queries = tuple(queries)
    if not queries:
        return ()
    if median(history.configurations(query.id) for query in queries) >= ENOUGH:
        moves = {query.id: history.spread(query.id) for query in queries}
    else:
        moves = _cost_changes(queries, default, plans)
    return tuple(sorted(queries, key=lambda query: query.weight * moves[query.id], reverse=True))


def _cost_changes(queries: tuple[Query, ...], default: Plans, plans: Plans) -> dict[str, float]:
    """How far each query's cost moves against the middle one's.

    A changed cost parameter scales the costs of all plans, which says nothing of time.
    """
    ratios = {
        query.id: math.log1p(plans[query.id].total_cost) - math.log1p(default[query.id].total_cost)
        for query in queries
    }
    middle = median(ratios.values())
    return {name: abs(ratio - middle) for name, ratio in ratios.items()}
