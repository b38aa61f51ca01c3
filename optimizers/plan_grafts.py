"""Grafts: what gives one query a good plan elsewhere, set into a good configuration.

Most of what helps one query harms another, so a configuration that is drawn at random is
rarely good for all, while some are very good for one. A few of their knobs do it, and one
query's EXPLAIN for each of some guesses finds out which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from llmtune.knobs.configuration import Configuration
from optimizers.projection import Projection
from optimizers.space import Floats

HELPED = 3
"""Queries of a stock for which a graft is sought, those that would gain most."""

PARTS = 10
"""Parts of a donor that are tried for each of them."""

RATES = (1 / 8, 1 / 4, 1 / 2, 1)
"""How many of the knobs in which donor and stock differ a part takes."""

AS_GOOD = 0.8
"""A part that gains so much of what the best one does is as good, if it is smaller."""

QueryTimes: TypeAlias = Callable[[Sequence[Configuration], int], Floats]
"""Configurations, shape (n,), and a query's place: its times, a share of the baseline's total."""


@dataclass(frozen=True, slots=True)
class Grafts:
    """Helps single queries with what other configurations have for them.

    Attributes:
        donors: configurations whose plans are known, one at least.
        times: of each donor's queries, as far as they may be hoped for, shape (donors, queries).
        times_of: says the same of one query under other configurations.
    """

    donors: Sequence[Configuration]
    times: Floats
    times_of: QueryTimes
    project: Projection

    def onto(
        self, stock: Configuration, times: Floats, rng: np.random.Generator
    ) -> list[Configuration]:
        """The stock with a graft for each of some queries, and with all of these together.

        Args:
            times: of the stock's queries, shape (queries,).
        """
        gains, donors = times - self.times.min(axis=0), self.times.argmin(axis=0)
        helped = [int(at) for at in np.argsort(-gains, kind="stable")[:HELPED] if gains[at] > 0]
        found: list[Configuration] = []
        for place in helped:
            parts = self._parts(stock, self.donors[donors[place]], rng)
            gained = times[place] - self.times_of(parts, place)
            if gained.max() > 0:
                good = [parts[at] for at in np.flatnonzero(gained >= AS_GOOD * gained.max())]
                found.append(min(good, key=lambda part: len(part.changes(stock))))
        changes = [part.changes(stock) for part in found]
        together = {name: value for change in changes for name, value in change.items()}
        return list(dict.fromkeys([*found, self.project(Configuration({**stock, **together}))]))

    def _parts(
        self, stock: Configuration, donor: Configuration, rng: np.random.Generator
    ) -> list[Configuration]:
        """The stock with some of what the donor has, differently each time."""
        differing = donor.changes(stock)
        parts = []
        for rate in rng.choice(RATES, size=PARTS):
            taken = rng.random(len(differing)) < rate
            values = {
                name: donor[name] for name, take in zip(differing, taken, strict=True) if take
            }
            parts.append(self.project(Configuration({**stock, **values})))
        return parts
