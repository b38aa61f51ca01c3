"""A fake what-if: plan features that foretell a synthetic evaluator's query times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from llmtune.benchmark.synthetic import SyntheticEvaluator
from llmtune.knobs.configuration import Configuration
from optimizers.space import Floats, UnitCube

TABLES = 4
"""That a query of a synthetic evaluator is said to read."""


class SyntheticPlans:
    """The `WhatIf` of a synthetic evaluator; it counts its calls and knows no other servers.

    A query's row tells how far its knob is from the best, as a planner's cost would, in a
    unit of its own; and the positions of all knobs.

    Attributes:
        asked: the configurations that were planned, in order.
    """

    def __init__(self, evaluator: SyntheticEvaluator) -> None:
        self.asked: list[Configuration] = []
        self._evaluator = evaluator
        self._cube = UnitCube(evaluator.space)

    @property
    def weights(self) -> Mapping[str, float]:
        """See `WhatIf.weights`."""
        return dict.fromkeys(self._evaluator.query_ids, 1.0)

    @property
    def tables(self) -> Mapping[str, int]:
        """See `WhatIf.tables`."""
        return dict.fromkeys(self._evaluator.query_ids, TABLES)

    def features(
        self, configurations: Sequence[Configuration], queries: Sequence[str]
    ) -> list[Floats]:
        """See `WhatIf.features`: each of shape (queries, 1 + knobs)."""
        self.asked.extend(configurations)
        return [self._table(one, queries) for one in configurations]

    def _harms(self, configuration: Configuration, queries: Sequence[str]) -> list[float]:
        harms = self._evaluator.harms(configuration)
        known = dict(zip(self._evaluator.query_ids, harms, strict=True))
        return [known[query_id] for query_id in queries]

    def _table(self, configuration: Configuration, queries: Sequence[str]) -> Floats:
        costs = np.sqrt(self._harms(configuration, queries))
        positions = np.tile(self._cube.vector(configuration), (len(costs), 1))
        return np.column_stack([costs, positions])
