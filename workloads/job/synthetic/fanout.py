"""Fan-outs: how many children each parent has, skewed, with an exact total."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from workloads.job.synthetic.draws import Ints

PARENTS = 8192
"""Parents of one block: with their children they take some megabytes."""


@dataclass(frozen=True, slots=True)
class Children:
    """The children of one block of parents, in the parents' order.

    Attributes:
        ids: of the children, consecutive over all blocks.
        parent: each child's parent as an index into the block's parents.
        slot: each child's number among its siblings, from 0.
    """

    ids: Ints
    parent: Ints
    slot: Ints


def blocks(first: int, count: int, size: int = PARENTS) -> Iterator[Ints]:
    """The ids `first` to `first + count - 1` in blocks."""
    for start in range(first, first + count, size):
        yield np.arange(start, min(start + size, first + count), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class FanOut:
    """Deals `rows` children with ids from `first_row` to parents in proportion to weights.

    Parents have the ids `first` to `first + parents - 1`. A parent gets its share of
    the total rounded down or up, so that blocks can be dealt one by one.
    """

    first: int
    parents: int
    first_row: int
    rows: int
    weigh: Callable[[Ints], Ints]

    def __iter__(self) -> Iterator[tuple[Ints, Children]]:
        """Each block of parents' ids with its children."""
        total = sum(int(self.weigh(ids).sum()) for ids in self._parents())
        weight = dealt = 0
        for ids in self._parents():
            weights = self.weigh(ids)
            weight += int(weights.sum())
            due = self.rows * weight // total
            yield ids, _deal(weights, due - dealt, self.first_row + dealt)
            dealt = due

    def _parents(self) -> Iterator[Ints]:
        return blocks(self.first, self.parents)


def _deal(weights: Ints, rows: int, first_row: int) -> Children:
    sums = np.cumsum(weights)
    ends = sums * rows // max(int(sums[-1]), 1)
    counts = np.diff(ends, prepend=0)
    parent = np.repeat(np.arange(len(weights)), counts)
    numbers = np.arange(rows, dtype=np.int64)
    slot = numbers - np.repeat(ends - counts, counts)
    return Children(numbers + first_row, parent, slot)
