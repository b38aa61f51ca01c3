"""The seam through which an optimizer sees plans, never a connection."""

from __future__ import annotations

from collections.abc import Mapping
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

    def features(self, configuration: Configuration) -> Floats:
        """One row for each query: its plan and the knobs' positions, shape (queries, d).

        Called only between trials.
        """
        ...

    def guess(self, features: Floats) -> Floats | None:
        """What other workloads and servers teach: the log of time over the default's.

        Args:
            features: shape (n, d), rows as `features` makes them.

        Returns:
            Shape (trees, n), one guess of each tree; None where nothing is known.
        """
        ...
