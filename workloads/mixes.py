"""Mixes: weighted sub-workloads, of which one data set yields thousands."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from random import Random

from workloads.workload import Query, Workload

SMALLEST, LARGEST = 2, 30
"""Default bounds of a mix's number of queries."""


def draw_mix(
    workload: Workload, rng: Random, smallest: int = SMALLEST, largest: int = LARGEST
) -> Workload:
    """A random subset of the queries of `workload`, in its order, with random weights.

    The size is uniform from `smallest` to `largest`, as far as there are queries.
    Weights are log-uniform from 0.1 to 10, times the query's own, so that in some
    mixes a few queries decide and in others all count alike. Equal mixes have equal
    names, whatever draw they come from.

    Raises:
        ValueError: the bounds are not 1 <= smallest <= largest.
    """
    if not 1 <= smallest <= largest:
        raise ValueError(f"mix sizes must be 1 <= smallest <= largest, not {smallest}, {largest}")
    count = len(workload.queries)
    size = rng.randint(min(smallest, count), min(largest, count))
    places = sorted(rng.sample(range(count), size))
    queries = tuple(_weighted(workload.queries[place], rng) for place in places)
    return replace(workload, name=f"{workload.name}-mix-{_digest(queries)}", queries=queries)


def _weighted(query: Query, rng: Random) -> Query:
    return replace(query, weight=query.weight * round(10 ** rng.uniform(-1, 1), 2))


def _digest(queries: tuple[Query, ...]) -> str:
    content = "\n".join(f"{query.id} {query.weight!r}" for query in queries)
    return sha256(content.encode()).hexdigest()[:10]
