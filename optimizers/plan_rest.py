"""The rest: what the queries whose plans are not looked at are expected to do, all together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optimizers.plan_model import Outlook
from optimizers.query_rows import Rest
from optimizers.space import Floats
from optimizers.trees import Trees


class RestModel:
    """Foretells these queries' time from the knobs' positions, which is all that is seen of them.

    It only expects, and hopes for nothing: a search that takes what it knows least for the best
    would be led by what it cannot see.
    """

    def __init__(self, rest: Rest, points: Floats, seed: int) -> None:
        """Learn from trials, made at points of shape (trials, knobs)."""
        told = ~np.isnan(rest.logs)
        self._share = rest.share
        self._trees = Trees(points[told], rest.logs[told], seed) if told.any() else None

    def beside(self, planned: Outlook, points: Floats) -> Outlook:
        """The planned queries' outlook with these beside them.

        Args:
            planned: in which all queries are taken to change as the planned ones do.
            points: of its configurations, shape (n, knobs).
        """
        if self._trees is None:
            return planned
        others = self._share * np.exp(self._trees.predict(points)[0])

        def whole(logs: Floats) -> Floats:
            return np.asarray(np.log((1.0 - self._share) * np.exp(logs) + others))

        return replace(planned, mean=whole(planned.mean), hoped=whole(planned.hoped))
