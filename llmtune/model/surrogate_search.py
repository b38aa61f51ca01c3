"""Search by the surrogate alone: the control that shows what the language model adds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from itertools import islice

from datagen.plan import neighbours, sample
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace

SAMPLED, KEPT, BREADTH, GENERATIONS = 80, 4, 10, 3


def surrogate_search(
    ratio: Callable[[Configuration], float], space: KnobSpace, seed: int, clients: int = 1
) -> list[Configuration]:
    """Configurations that the surrogate expects most of, best first; nothing is run.

    Random ones first, then variations of the most promising, some generations long.

    Args:
        ratio: predicted time over the default's, below 1 is faster.
        clients: sessions whose memory must suffice.
    """
    rng = random.Random(seed)  # noqa: S311 - sampling, not secrets
    drawn = (candidate.configuration for candidate in sample(space, seed, clients))
    predicted: dict[Configuration, float] = {}
    _predict(predicted, ratio, islice(drawn, SAMPLED))
    for _ in range(GENERATIONS):
        for promising in _best(predicted):
            near = neighbours(promising, space, rng, clients)
            _predict(predicted, ratio, islice(near, BREADTH))
    return _best(predicted)


def _predict(
    predicted: dict[Configuration, float],
    ratio: Callable[[Configuration], float],
    configurations: Iterable[Configuration],
) -> None:
    for configuration in configurations:
        if configuration not in predicted:
            predicted[configuration] = ratio(configuration)


def _best(predicted: dict[Configuration, float]) -> list[Configuration]:
    return sorted(predicted, key=lambda one: predicted[one])[:KEPT]
