"""The seam through which an optimizer sees plans, never a connection."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol

from llmtune.knobs.configuration import Configuration
from optimizers.space import Floats


class WhatIf(Protocol):
    """Says what a workload's queries would do under a configuration, without running them.

    A fake for tests is `llmtune.benchmark.synthetic_plans.SyntheticPlans`.
    """

    @property
    def weights(self) -> Mapping[str, float]:
        """Each query id's weight in the total."""
        ...

    def features(
        self, configurations: Sequence[Configuration], queries: Sequence[str]
    ) -> list[Floats]:
        """For each one row a query: its plan and the knobs' positions, shape (queries, d).

        The first column is the logarithm of the plan's effort: by how much it rises, the
        query may be expected to take longer. Called only between trials; many configurations
        at once cost less than one by one.

        Args:
            queries: their ids, the rows' order.
        """
        ...

    def shapes(
        self, configurations: Sequence[Configuration], queries: Sequence[str]
    ) -> list[tuple[Hashable, ...]]:
        """For each one which plan each query would get: equal entries are the same plan.

        Called only between trials.
        """
        ...
