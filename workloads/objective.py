"""What a workload is tuned for: the name, unit and direction of one number."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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

    def better(self, left: float, right: float) -> bool:
        """Whether `left` is strictly better than `right`."""
        if self.direction is Direction.MINIMIZE:
            return left < right
        return left > right

    def worse_by(self, factor: float, value: float) -> float:
        """What is so many times worse than `value`."""
        return value * factor if self.direction is Direction.MINIMIZE else value / factor

    def ratio(self, base: float, other: float) -> float:
        """How many times better `other` is than `base`; above 1 means better."""
        return base / other if self.direction is Direction.MINIMIZE else other / base


LATENCY = Objective("latency", "s", Direction.MINIMIZE)
"""Weighted sum of the queries' seconds in one timed pass."""

THROUGHPUT = Objective("throughput", "transactions/s", Direction.MAXIMIZE)
"""Transactions that all clients together complete in a second."""

P95 = Objective("p95", "ms", Direction.MINIMIZE)
"""The latency that 95% of the transactions stay under."""

OBJECTIVES = {objective.name: objective for objective in (LATENCY, THROUGHPUT, P95)}
