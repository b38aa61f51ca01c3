"""Plans of a workload's queries under any configuration, kept for a while."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.knob import Effect
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.planners import USUAL_TABLES, planners, what_ifs
from llmtune.postgres.plans import PlanNode
from llmtune.postgres.server_settings import setting_text
from llmtune.postgres.target import Target
from workloads.workload import AnyWorkload

KEPT_PLANS = 500
"""Configurations whose plans are kept, some 100 kB each for twenty queries."""

UNPLANNED = frozenset(
    {
        "temp_buffers",
        "default_statistics_target",
        "max_parallel_workers",
        "max_parallel_maintenance_workers",
        "effective_io_concurrency",
        "io_combine_limit",
        "synchronous_commit",
    }
)
"""Session knobs that a query's planning never reads: they matter when it runs, or to ANALYZE."""


MOST_BY_FORCE = 12
"""Tables up to which a what-if tries all join orders: PostgreSQL's own default for
`geqo_threshold`. Beyond it the work grows exponentially, too much for a look at a plan."""


class WhatIfPlans:
    """Callable: a configuration to the plan of each query, by its id.

    Plans depend on session-level knobs only, and not on all of those, so configurations
    that agree in what the planner reads share their plans. Queries of very many tables are
    planned by the genetic search whatever a configuration says of it.
    """

    def __init__(
        self, target: Target, database: str, workload: AnyWorkload, space: KnobSpace
    ) -> None:
        self._target = target
        self._database = database
        self._queries = {query.id: query for query in workload.queries}
        # What EXPLAIN can set for itself, however it is changed for good in this space.
        self._session = [
            one.name
            for one in space.knobs
            if one.knob.effect(space.version) is Effect.SESSION and one.name not in UNPLANNED
        ]
        self._plans: dict[tuple[str, ...], dict[str, PlanNode]] = {}
        self._tables: dict[str, int] = {}

    @property
    def tables(self) -> Mapping[str, int]:
        """How many tables each query scans that was planned, as its first plan has it."""
        return self._tables

    def __call__(self, configuration: Configuration) -> dict[str, PlanNode]:
        """The plans under one configuration; see `each`."""
        return self.each([configuration])[0]

    def each(
        self, configurations: Iterable[Configuration], queries: Iterable[str] | None = None
    ) -> list[dict[str, PlanNode]]:
        """The plans under each, from connections of its own; 1 ms or so for each query not kept.

        Many together cost half of what they do by themselves: a new connection first has to
        read the catalogue, which takes as long as planning twenty queries.

        Args:
            queries: the ids that are wanted, in their order; None means all.

        Raises:
            ConnectionFailed: the server does not answer.
            QueryFailed: the server cannot plan a query.
            TargetError: the server refuses a setting in a session.
        """
        wanted = list(self._queries if queries is None else queries)
        keys = [self._key(one) for one in configurations]
        found = {key: self._plans.pop(key, {}) for key in keys}
        missing = {key: [one for one in wanted if one not in found[key]] for key in found}
        self._plan({key: ids for key, ids in missing.items() if ids}, found)
        self._keep(found)
        return [{one: found[key][one] for one in wanted} for key in keys]

    def _key(self, configuration: Configuration) -> tuple[str, ...]:
        quick = {**configuration, **_quick(configuration)}
        return tuple(setting_text(quick[name]) for name in self._session)

    def _plan(
        self,
        missing: Mapping[tuple[str, ...], Sequence[str]],
        found: Mapping[tuple[str, ...], dict[str, PlanNode]],
    ) -> None:
        """Add to what is found the plans of queries that are missing under each settings."""
        if not missing:
            return
        wanted = [
            (dict(zip(self._session, key, strict=True)), [self._queries[one] for one in ids])
            for key, ids in missing.items()
        ]
        # Connections of its own each time: the server may restart between calls.
        tables = sum(self._tables.get(one, USUAL_TABLES) for ids in missing.values() for one in ids)
        with planners(self._target, self._database, tables) as connections:
            for key, plans in zip(missing, what_ifs(connections, wanted), strict=True):
                found[key].update(plans)
                for name in plans.keys() - self._tables.keys():
                    self._tables[name] = plans[name].tables_read

    def _keep(self, found: Mapping[tuple[str, ...], dict[str, PlanNode]]) -> None:
        """Remember these, and forget those that were not asked for the longest."""
        self._plans.update(found)
        for oldest in list(self._plans)[: max(0, len(self._plans) - KEPT_PLANS)]:
            del self._plans[oldest]


def _quick(configuration: Configuration) -> dict[str, Value]:
    """With what to plan instead: a complete search, where there would be one, only among few."""
    searches = int(configuration.get("geqo_threshold", MOST_BY_FORCE))
    genetic = configuration.get("geqo", True)
    threshold = min(searches, MOST_BY_FORCE) if genetic else MOST_BY_FORCE
    return {"geqo": True, "geqo_threshold": threshold}
