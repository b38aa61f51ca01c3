"""Propose the next configurations to measure: where the surrogate expects good labels.

Random configurations show what knobs do, but the best of them is seldom what a mix
deserves. Each round fits the surrogate on everything measured so far, searches near
the best runs of many mixes by what-if plans alone, and proposes the few
configurations that promise most, simple ones first.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from datagen.label import Labeller
from datagen.matrix import Matrix
from datagen.measurements import gather
from datagen.plan import Candidate, neighbours, without_each_change
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace

Floats: TypeAlias = NDArray[np.float64]
WhatIf: TypeAlias = Callable[[Configuration], Mapping[str, Sequence[float]]]
"""Feature vector of each query id under a configuration, from EXPLAIN alone."""

Weights: TypeAlias = Mapping[str, float]

REFINED = "refined"
"""The source of what a refiner proposes."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How far one round searches.

    Attributes:
        generations: times that the promising ones are varied again.
        breadth: variations of each promising configuration in a generation.
        change_price: predicted relative gain that one more changed knob must bring.
    """

    generations: int = 3
    breadth: int = 10
    change_price: float = 0.003


class Refiner:
    """Proposes configurations for one matrix."""

    def __init__(
        self,
        matrix: Matrix,
        space: KnobSpace,
        what_if: WhatIf,
        options: SearchOptions | None = None,
    ) -> None:
        self._matrix = matrix
        self._space = space
        self._what_if = what_if
        self._options = options or SearchOptions()
        self._surrogate, _ = gather([matrix]).surrogate(matrix.header.feature_names)
        self._default = np.array(list(matrix.default_seconds.values()))
        self._predicted: dict[Configuration, Floats] = {}

    def propose(self, mixes: Sequence[Weights], count: int, seed: int) -> list[Candidate]:
        """At most `count` unmeasured configurations, those that most mixes want first.

        Where every mix wants a measured one, it is the best of the others, if there are any.
        """
        rng = random.Random(seed)  # noqa: S311 - sampling, not secrets
        promising = self._best_measured(mixes)
        for _ in range(self._options.generations):
            self._predict(self._variations(promising, rng))
            promising = dict.fromkeys(self._choose(mix) for mix in mixes)
        measured = {self._space.from_default(run.changes) for run in self._matrix.runs}
        votes = Counter(self._choose(mix) for mix in mixes)
        if votes.keys() <= measured:
            if self._predicted.keys() <= measured:
                return []
            votes = Counter(self._choose(mix, without=measured) for mix in mixes)
        new = [c for c, _ in votes.most_common() if c not in measured]
        return [Candidate(REFINED, configuration) for configuration in new[:count]]

    def _best_measured(self, mixes: Iterable[Weights]) -> Collection[Configuration]:
        """Each once, in the mixes' order: a set's would differ from process to process."""
        labeller = Labeller(self._matrix)
        best = dict.fromkeys(self._space.from_default(labeller.label(mix).changes) for mix in mixes)
        self._predict(best)
        return best

    def _variations(
        self, promising: Iterable[Configuration], rng: random.Random
    ) -> Iterable[Configuration]:
        space, clients = self._space, self._matrix.header.clients
        for configuration in sorted(promising, key=repr):
            yield from without_each_change(configuration, space, clients)
            near = neighbours(configuration, space, rng, clients)
            yield from islice(near, self._options.breadth)

    def _predict(self, configurations: Iterable[Configuration]) -> None:
        """Predicted seconds of every query, shape (queries,), for each new configuration."""
        new = [c for c in dict.fromkeys(configurations) if c not in self._predicted]
        if not new:
            return
        seen = [self._what_if(configuration) for configuration in new]
        rows = [features[query_id] for features in seen for query_id in self._matrix.query_ids]
        ratios = self._surrogate.predict(rows).reshape(len(new), -1)
        self._predicted.update(zip(new, ratios * self._default, strict=True))

    def _choose(self, mix: Weights, without: Collection[Configuration] = ()) -> Configuration:
        """The best predicted configuration of a mix, after the price of its changes."""
        weights = np.array([mix.get(query_id, 0.0) for query_id in self._matrix.query_ids])
        default = self._space.default()
        price = self._options.change_price

        def cost(item: tuple[Configuration, Floats]) -> float:
            changes = len(item[0].changes(default))
            return float(np.log(weights @ item[1])) + price * changes

        others = (item for item in self._predicted.items() if item[0] not in without)
        return min(others, key=cost)[0]
