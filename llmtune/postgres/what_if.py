"""Feature vectors of a workload's queries under any configuration, from EXPLAIN alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.budget import budget
from llmtune.postgres.plan_effort import Stored, effort
from llmtune.postgres.plan_features import PlanFeatures
from llmtune.postgres.statistics import index_statistics, table_statistics
from llmtune.postgres.target import Target
from llmtune.postgres.what_if_plans import WhatIfPlans
from workloads.workload import AnyWorkload


class WhatIfFeatures:
    """Callable: a configuration to one feature vector for each query id.

    Configurations that agree in their session-level knobs share their plans, which
    are kept for a while.
    """

    def __init__(
        self, target: Target, database: str, workload: AnyWorkload, space: KnobSpace
    ) -> None:
        """Plan the workload under the default configuration."""
        self._plans = WhatIfPlans(target, database, workload, space)
        with target.connect(database) as connection:
            tables = table_statistics(connection)
            indexes = index_statistics(connection)
        self._stored = Stored({table.name: table for table in tables}, indexes)
        self._features = PlanFeatures(space, tables, self._plans(space.default()))

    @property
    def tables(self) -> Mapping[str, int]:
        """How many tables each query scans: see `WhatIfPlans.tables`."""
        return self._plans.tables

    @property
    def names(self) -> tuple[str, ...]:
        """What each position of a vector means."""
        return self._features.names

    def __call__(self, configuration: Configuration) -> dict[str, tuple[float, ...]]:
        """One vector for each query id; 1 ms or so for each query not planned before."""
        return self.each([configuration])[0]

    def each(
        self, configurations: Sequence[Configuration], queries: Sequence[str] | None = None
    ) -> list[dict[str, tuple[float, ...]]]:
        """The same under each configuration; many together cost less than one by one.

        Args:
            queries: the ids that are wanted, in their order; None means all.
        """
        plans = self._plans.each(configurations, queries)
        return [
            dict(zip(found, self._features.table(found, one), strict=True))
            for found, one in zip(plans, configurations, strict=True)
        ]

    def efforts(
        self, configurations: Sequence[Configuration], queries: Sequence[str]
    ) -> list[tuple[float, ...]]:
        """The effort of each query's plan under each configuration: see `plan_effort`."""
        found = []
        for configuration, plans in zip(
            configurations, self._plans.each(configurations, queries), strict=True
        ):
            given = budget(configuration, self._features.space)
            found.append(tuple(effort(plan, given, self._stored) for plan in plans.values()))
        return found
