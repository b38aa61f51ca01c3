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
        """Each query id's weight in the total."""
        ...

    @property
    def tables(self) -> Mapping[str, int]:
        """How many tables each query id reads: planning takes the longer the more there are."""
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
