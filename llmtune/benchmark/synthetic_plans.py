"""A fake what-if: plan features that foretell a synthetic evaluator's query times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from llmtune.benchmark.synthetic import SyntheticEvaluator
from llmtune.knobs.configuration import Configuration
from optimizers.space import Floats, UnitCube


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

    def features(self, configurations: Sequence[Configuration]) -> list[Floats]:
        """See `WhatIf.features`: each of shape (queries, 1 + knobs)."""
        self.asked.extend(configurations)
        return [self._table(one) for one in configurations]

    def _table(self, configuration: Configuration) -> Floats:
        costs = np.sqrt(self._evaluator.harms(configuration))
        positions = np.tile(self._cube.vector(configuration), (len(costs), 1))
        return np.column_stack([costs, positions])
