"""What a session's optimizer may see of the plans of a measured workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Protocol, runtime_checkable

import numpy as np

from llmtune.benchmark.evaluator import Evaluator
from llmtune.knobs.configuration import Configuration
from llmtune.postgres.run_conditions import PLANNER_ONLY
from llmtune.postgres.what_if import WhatIfFeatures
from optimizers.space import Floats
from optimizers.what_if import WhatIf
from workloads.workload import Workload

PLANNING = (*PLANNER_ONLY, "join_collapse_limit", "from_collapse_limit")
"""Knobs that act on the plan, and on the milliseconds that planning takes, only. The genetic
search is none of them: what-if plans always use it where tables are many."""


@runtime_checkable
class Planned(Protocol):
    """An evaluator whose queries can be planned without running them."""

    def what_if(self) -> WhatIf:
        """The queries' plans under any configuration; to be asked only between trials."""
        ...


def plans_of(evaluator: Evaluator) -> WhatIf | None:
    """The plans of what `evaluator` measures, None if it cannot show any."""
    return evaluator.what_if() if isinstance(evaluator, Planned) else None


class QueryPlans:
    """The `WhatIf` of a workload on a target.

    Of a query's vector it shows what decides how long the query runs: the plan's effort,
    in place of its cost, whose unit the planner's knobs change with no change of plan; the
    plan; and the knobs that act on running plans. Other knobs act through the plan alone, and
    would only mislead whoever has few trials to learn from.

    `features` connects for each look, since the server may have been restarted by the
    trial before, and leaves nothing open behind that could disturb the next.
    """

    def __init__(self, features: WhatIfFeatures, workload: Workload) -> None:
        self._features = features
        self._weights = {query.id: query.weight for query in workload.queries}
        self._shown = [place for place, name in enumerate(features.names) if _runs(name)]

    @property
    def weights(self) -> Mapping[str, float]:
        """See `WhatIf.weights`."""
        return self._weights

    @property
    def tables(self) -> Mapping[str, int]:
        """See `WhatIf.tables`."""
        return self._features.tables

    def features(
        self, configurations: Sequence[Configuration], queries: Sequence[str]
    ) -> list[Floats]:
        """See `WhatIf.features`.

        Raises:
            QueryFailed: the server cannot plan a query.
            ConnectionFailed: the server does not answer.
        """
        vectors = self._features.each(configurations, queries)
        efforts = self._features.efforts(configurations, queries)
        return [
            np.column_stack([effort, np.array(list(one.values()))[:, self._shown]])
            for effort, one in zip(efforts, vectors, strict=True)
        ]


def _runs(feature: str) -> bool:
    """Whether a plan feature of this name says something of the plan's run."""
    kind, _, name = feature.partition(".")
    if kind == "knob":
        return not any(fnmatchcase(name, pattern) for pattern in PLANNING)
    # Changes from the default's plan say no more than the plan where queries are told apart.
    return kind == "plan" and name != "cost"
