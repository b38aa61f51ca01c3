"""Redraws: what is asked in place of a configuration that was tried already."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import count, islice

import numpy as np

from llmtune.knobs.configuration import Configuration
from optimizers.space import Floats

REDRAWS = 20
"""How many are looked at beyond the first choice; in a small space there may be no new one."""


def first_new(offered: Iterable[Configuration], known: Container[Configuration]) -> Configuration:
    """The first of `offered` that is not `known`, or the last that was looked at.

    Rounding and the memory's limits map many points to one configuration, and measuring it
    again teaches a model that believes in noise nothing.

    Args:
        offered: the first choice, then what may be asked in its place; one at least.
    """
    for configuration in islice(offered, 1 + REDRAWS):
        if configuration not in known:
            break
    return configuration


def near(point: Floats, rng: np.random.Generator) -> Iterator[Floats]:
    """A point of the unit cube, shape (d,), then others ever farther from it."""
    yield point
    for width in widths():
        point = np.clip(point + rng.normal(scale=width, size=point.shape), 0.0, 1.0)
        yield point


def widths() -> Iterator[float]:
    """How far each redraw is moved from the one before, in shares of an axis: ever farther."""
    return (0.05 * 1.3**attempt for attempt in count())
