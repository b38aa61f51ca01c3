"""Feature vectors of a workload's queries under any configuration, from EXPLAIN alone."""

from __future__ import annotations

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.knob import Effect
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.plan_features import PlanFeatures
from llmtune.postgres.planners import planners
from llmtune.postgres.plans import PlanNode, what_if
from llmtune.postgres.server_settings import setting_text
from llmtune.postgres.statistics import table_statistics
from llmtune.postgres.target import Target
from workloads.workload import AnyWorkload

KEPT_PLANS = 500
"""Configurations whose plans are kept, some 100 kB each for twenty queries."""


class WhatIfFeatures:
    """Callable: a configuration to one feature vector for each query id.

    Plans depend on session-level knobs only, so configurations that agree in those
    share their plans, which are kept for a while.
    """

    def __init__(
        self, target: Target, database: str, workload: AnyWorkload, space: KnobSpace
    ) -> None:
        """Plan the workload under the default configuration."""
        self._target = target
        self._database = database
        self._workload = workload
        self._space = space
        self._session = [knob.name for knob in space.knobs if knob.effect is Effect.SESSION]
        self._plans: dict[tuple[str, ...], dict[str, PlanNode]] = {}
        with target.connect(database) as connection:
            tables = table_statistics(connection)
        self._features = PlanFeatures(space, tables, self._plans_under(space.default()))

    @property
    def names(self) -> tuple[str, ...]:
        """What each position of a vector means."""
        return self._features.names

    def __call__(self, configuration: Configuration) -> dict[str, tuple[float, ...]]:
        """One vector for each query id; 1 ms or so for each query not planned before."""
        plans = self._plans_under(configuration)
        return dict(zip(plans, self._features.table(plans, configuration), strict=True))

    def _plans_under(self, configuration: Configuration) -> dict[str, PlanNode]:
        settings = {name: setting_text(configuration[name]) for name in self._session}
        key = tuple(settings.values())
        if key not in self._plans:
            if len(self._plans) >= KEPT_PLANS:
                self._plans.pop(next(iter(self._plans)))
            # Connections of its own each time: the server may restart between calls.
            queries = self._workload.queries
            with planners(self._target, self._database, len(queries)) as (connection, *others):
                self._plans[key] = what_if(connection, settings, queries, others)
        return self._plans[key]
