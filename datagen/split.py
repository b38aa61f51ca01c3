"""Splits that keep what is tested out of what is learned.

Queries of one template differ only in constants, so a split by row would test on
what was trained. Whole templates are held out instead: training mixes never
contain a held-out template, held-out mixes contain nothing else.

The split is the same whatever the seed of a data set: data sets of one schema are
trained on together, and what one holds out must not be another's training data.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from llmtune.errors import UsageError
from workloads.workload import Query

SPLIT_SEED = 0
"""Draws what every data set holds out, unless it holds out something else already."""


@dataclass(frozen=True, slots=True)
class TemplateSplit:
    """Two disjoint sets of query templates."""

    train: frozenset[str]
    held_out: frozenset[str]

    def side(self, query: Query) -> str:
        """`train` or `held_out`."""
        return "held_out" if query.template in self.held_out else "train"


def split_templates(
    templates: Iterable[str], share: float, seed: int = SPLIT_SEED
) -> TemplateSplit:
    """Hold out a `share` of the templates, at least two so that mixes of them exist.

    Raises:
        UsageError: so few templates that either side would have fewer than two.
    """
    names = sorted(set(templates))
    count = max(2, round(share * len(names)))
    if len(names) - count < 2:
        raise UsageError(
            f"{len(names)} query templates cannot be split into training and held-out ones; "
            "at least 4 are needed"
        )
    held_out = frozenset(random.Random(seed).sample(names, count))  # noqa: S311 - not secrets
    return TemplateSplit(frozenset(names) - held_out, held_out)
