"""The seam through which an optimizer sees plans, never a connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from llmtune.knobs.configuration import Configuration
from optimizers.space import Floats


class WhatIf(Protocol):
    """Says what a workload's queries would do under a configuration, without running them.

    A fake for tests is `llmtune.benchmark.synthetic_plans.SyntheticPlans`.
    """

    @property
    def weights(self) -> Mapping[str, float]:
        """Each query id's weight in the total, in the order of the features' rows."""
        ...

    def features(self, configurations: Sequence[Configuration]) -> list[Floats]:
        """For each one row a query: its plan and the knobs' positions, shape (queries, d).

        Called only between trials; many configurations at once cost less than one by one.
        """
        ...
