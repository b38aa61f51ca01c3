"""Splits that keep what is tested out of what is learned.

Queries of one template differ only in constants, so a split by row would test on
what was trained. Whole templates are held out instead: training mixes never
contain a held-out template, held-out mixes contain nothing else.

Each template is held out or not by its own name, whatever others there are and whatever
the seed of a data set: data sets of one schema are trained on together, and what one
holds out must not be another's training data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from llmtune.errors import UsageError
from workloads.workload import Query

TRAIN, HELD_OUT = "train", "held_out"
"""The two sides."""

FEWEST = 2
"""Templates of a side, so that mixes of them exist."""


@dataclass(frozen=True, slots=True)
class TemplateSplit:
    """Two disjoint sets of query templates."""

    train: frozenset[str]
    held_out: frozenset[str]

    def side(self, query: Query) -> str:
        """`train` or `held_out`."""
        return HELD_OUT if query.template in self.held_out else TRAIN


def split_templates(templates: Iterable[str], share: float) -> TemplateSplit:
    """Hold out about a `share` of the templates.

    A template's side is its own, but where a side would have fewer than two: then those
    that are nearest to it are moved there.

    Raises:
        UsageError: so few templates that either side would have fewer than two.
    """
    names = sorted(set(templates), key=_place)
    if len(names) < 2 * FEWEST:
        raise UsageError(
            f"{len(names)} query templates cannot be split into training and held-out ones; "
            f"at least {2 * FEWEST} are needed"
        )
    below = sum(_place(name) < share for name in names)
    count = min(max(below, FEWEST), len(names) - FEWEST)
    return TemplateSplit(frozenset(names[count:]), frozenset(names[:count]))


def _place(template: str) -> float:
    """Where between 0 and 1 a template stands, by its name alone."""
    return int.from_bytes(sha256(template.encode()).digest()[:8]) / 2**64
