"""What a session's optimizer may see of the plans of a measured workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from llmtune.benchmark.evaluator import Evaluator
from llmtune.knobs.configuration import Configuration
from llmtune.postgres.what_if import WhatIfFeatures
from optimizers.space import Floats
from optimizers.what_if import WhatIf
from workloads.workload import Workload


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

    `features` connects for each look, since the server may have been restarted by the
    trial before, and leaves nothing open behind that could disturb the next.
    """

    def __init__(self, features: WhatIfFeatures, workload: Workload) -> None:
        self._features = features
        self._weights = {query.id: query.weight for query in workload.queries}

    @property
    def weights(self) -> Mapping[str, float]:
        """See `WhatIf.weights`."""
        return self._weights

    def features(self, configurations: Sequence[Configuration]) -> list[Floats]:
        """See `WhatIf.features`.

        Raises:
            QueryFailed: the server cannot plan a query.
            ConnectionFailed: the server does not answer.
        """
        return [
            np.array([vectors[query_id] for query_id in self._weights])
            for vectors in self._features.each(configurations)
        ]
