"""What a workload is tuned for: the name, unit and direction of one number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf, log
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Numbers = TypeVar("Numbers", float, "NDArray[np.float64]")
"""One number, or an array of numbers that are each meant by themselves."""


class Direction(StrEnum):
    """Whether smaller or larger values are better."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


@dataclass(frozen=True, slots=True)
class Objective:
    """One number to improve. Direction lives here and nowhere else."""

    name: str
    unit: str
    direction: Direction

    @property
    def worst(self) -> float:
        """What every value is better than: an infinity."""
        return inf if self.direction is Direction.MINIMIZE else -inf

    def better(self, left: float, right: float) -> bool:
        """Whether `left` is strictly better than `right`."""
        if self.direction is Direction.MINIMIZE:
            return left < right
        return left > right

    def worse_by(self, factor: float, value: float) -> float:
        """What is so many times worse than `value`."""
        return value * factor if self.direction is Direction.MINIMIZE else value / factor

    def ratio(self, base: Numbers, other: Numbers) -> Numbers:
        """How many times better `other` is than `base`; above 1 means better."""
        return base / other if self.direction is Direction.MINIMIZE else other / base

    def loss(self, value: float) -> float:
        """The logarithm of a positive value, its sign such that less is better.

        One that is by 1 more is that of a value e times worse.
        """
        return log(value) if self.direction is Direction.MINIMIZE else -log(value)

    def gain(self, worse: Numbers) -> Numbers:
        """The share of a value that is won as it gets so many times worse.

        So much less time, or more of a rate; less than 0 where `worse` is above 1.
        """
        return 1.0 - worse if self.direction is Direction.MINIMIZE else 1.0 / worse - 1.0


LATENCY = Objective("latency", "s", Direction.MINIMIZE)
"""Weighted sum of the queries' seconds in one timed pass."""

THROUGHPUT = Objective("throughput", "transactions/s", Direction.MAXIMIZE)
"""Transactions that all clients together complete in a second."""

P95 = Objective("p95", "ms", Direction.MINIMIZE)
"""The latency that 95% of the transactions stay under."""

OBJECTIVES = {objective.name: objective for objective in (LATENCY, THROUGHPUT, P95)}
