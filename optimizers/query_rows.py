"""Rows: what one trial tells of single queries, and of all the others together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from optimizers.space import Floats
from optimizers.surrogate import FLOOR


@dataclass(frozen=True, slots=True)
class Row:
    """What a trial tells of single queries.

    Attributes:
        places: of those that it tells about.
        logs: of each the log of its time over the baseline's, shape (places,).
        stopped: the place of the one that the cap stopped, whose log is a bound; None if it
            stopped none.
    """

    places: list[int]
    logs: Floats
    stopped: int | None = None

    def among(self, places: Mapping[int, int]) -> Row:
        """What it tells of some of them, by the places that they have there."""
        kept = [at for at, place in enumerate(self.places) if place in places]
        stopped = None if self.stopped is None else places.get(self.stopped)
        return Row([places[self.places[at]] for at in kept], self.logs[kept], stopped)


@dataclass(frozen=True, slots=True)
class Rest:
    """What trials tell of all queries but some, together.

    Attributes:
        share: of the baseline's total that these queries take.
        logs: of each trial the log of their time over the baseline's, shape (trials,); NaN
            where it does not tell.
    """

    share: float
    logs: Floats


@dataclass(frozen=True, slots=True)
class Scale:
    """What all trials together tell of each query, to hold one trial against.

    Attributes:
        reference: seconds under the baseline, shape (queries,).
        shares: of the baseline's total, shape (queries,).
        least: what it took when it was fastest, as a share of that total, shape (queries,).
    """

    reference: Floats
    shares: Floats
    least: Floats

    def amounts(self, times: Mapping[int, float]) -> Floats:
        """What each query took, as a share of the baseline's total; the least without a time.

        Args:
            times: seconds by the query's place.
        """
        amounts = self.least.copy()
        for place, seconds in times.items():
            amounts[place] = self.shares[place] * max(seconds, FLOOR) / self.reference[place]
        return amounts
