"""How much two measurements of the same thing differ on this machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev

Z95 = 1.96


@dataclass(frozen=True, slots=True)
class Noise:
    """Spread of repeated measurements: the standard deviation of their logarithm."""

    log_sd: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Noise:
        """From two or more positive repeats of one configuration."""
        if len(values) < 2:
            raise ValueError(f"noise needs at least two repeats, not {len(values)}")
        return cls(stdev(math.log(value) for value in values))

    @property
    def resolution(self) -> float:
        """The smallest relative change that one run against one run can show (95%)."""
        return math.expm1(Z95 * math.sqrt(2) * self.log_sd)
