"""A model of a workload's total from its queries' plans, fitted on one session's trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import ExtraTreeRegressor

from optimizers.query_rows import Row
from optimizers.space import Floats
from optimizers.trees import LEAST_VARIANCE, mean_beyond, varying

TREES = 32
"""Of each forest."""

SEEDS = 2**32
"""How many seeds scikit-learn knows."""

TRIED = 0.35
"""The share of the features among which a tree's node looks for its split."""

MOST_TRIALS = 300
"""That a fit takes, the most recent ones."""

BELIEVED = 0.5
"""The part of a change in a plan's effort that its time is expected to follow before anything
is known. Rows are often misjudged, and what is not work for the processor counts little while
tables lie in memory."""

CONVICTION = 5.0
"""What this stands against: as many trials under which all efforts changed by a factor of e."""

HOPE = 0.5
"""How many spreads better than its mean each query's time is taken to be."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected of some configurations: the log of total over the baseline's.

    Attributes:
        mean: shape (n,).
        hoped: shape (n,), better than the mean where less is known; what to search by.
        times: shape (n, queries), each planned query's share of their total under the baseline,
            as far as it may be hoped for.
    """

    mean: Floats
    hoped: Floats
    times: Floats

    def joined(self, other: Outlook) -> Outlook:
        """The two, one behind the other."""
        return Outlook(
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.hoped, other.hoped]),
            np.concatenate([self.times, other.times]),
        )


def outlook(logs: Floats, shares: Floats) -> Outlook:
    """What ensembles expect of totals, hoping for each query by itself.

    A trial answers for all queries at once, so each is worth exploring for its own sake: W. Chen
    et al., "Combinatorial Multi-Armed Bandit" (ICML 2013). Expected improvement would hold
    candidates against the luckiest of the trials: once noise has given it a value that
    nothing is expected to reach, whatever is known least looks best.

    Args:
        logs: shape (trees, n, queries): each tree's log of time over the baseline's.
        shares: shape (queries,): of the baseline's total.
    """
    mean, spread = logs.mean(axis=0), logs.std(axis=0)
    times = np.exp(mean - HOPE * spread) * shares
    return Outlook(np.log(np.exp(mean) @ shares), np.log(times.sum(axis=1)), times)


class PlanModel:
    """Turns the queries' plan features into a distribution of the total.

    How far times follow the plans' efforts all queries tell together. How a query's time
    differs from that a forest of its own learns; with another for all queries beside it
    totals were ranked no better (docs/optimizers.md).
    """

    def __init__(
        self,
        shares: Floats,
        baseline: Floats,
        tables: Sequence[Floats],
        rows: Sequence[Row],
        seed: int,
    ) -> None:
        """Learn from trials.

        Args:
            shares: of the queries in their total under the baseline, shape (queries,).
            baseline: the queries' features under it, shape (queries, d); the first column
                is the plan's effort.
            tables: for each trial its features, shape (queries, d).
            rows: for each trial what it tells of the queries.
        """
        self._shares = shares
        self._baseline = baseline
        recent = list(zip(tables, rows, strict=True))[-MOST_TRIALS:]
        self._believed = self._slope(recent)
        known: list[list[_Known]] = [[] for _ in shares]
        for table, row in recent:
            surprises = row.logs - self._believed * self._rises(table[row.places], row.places)
            for place, surprise in zip(row.places, surprises, strict=True):
                known[place].append(_Known(table[place], float(surprise), place == row.stopped))
        self._forests = [_grown(each, seed + TREES * place) for place, each in enumerate(known)]

    def predict(self, tables: Sequence[Floats]) -> Outlook:
        """What to expect of configurations with these features, each shape (queries, d)."""
        return outlook(self.opinions(tables), self._shares)

    def times(self, tables: Sequence[Floats], place: int) -> Floats:
        """What to hope for of one query, shape (n,), from its features, each shape (1, d)."""
        return outlook(self.opinions(tables, [place]), self._shares[[place]]).times[:, 0]

    def opinions(self, tables: Sequence[Floats], places: Sequence[int] | None = None) -> Floats:
        """What each tree expects, as the log of time over the baseline's: (trees, n, queries).

        Args:
            places: the queries that the tables' rows are of; None means all.
        """
        table = np.array(tables, dtype=np.float32)
        chosen = list(range(len(self._forests))) if places is None else list(places)
        surprises = [self._forests[at](table[:, row]) for row, at in enumerate(chosen)]
        return np.stack(surprises, axis=2) + self._believed * self._rises(table, chosen)

    def _slope(self, recent: Sequence[tuple[Floats, Row]]) -> float:
        """The part of a change in effort that times follow: ridge regression towards BELIEVED.

        Of a query that was stopped the bound counts.
        """
        along, squares = CONVICTION * BELIEVED, CONVICTION
        for table, row in recent:
            rises, shares = self._rises(table[row.places], row.places), self._shares[row.places]
            along += float(shares @ (rises * row.logs))
            squares += float(shares @ rises**2)
        return max(0.0, along / squares)

    def _rises(self, tables: NDArray[np.floating[Any]], places: Sequence[int]) -> Floats:
        """Log efforts of these queries over the baseline's, tables shaped (..., places, d)."""
        return np.asarray(tables[..., 0] - self._baseline[places, 0], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Known:
    """By how much a trial's query differed from what its plan's effort lets expect.

    Attributes:
        surprise: in log units.
        stopped: it is a bound: nobody knows how long the query would have taken.
    """

    point: Floats
    surprise: float
    stopped: bool


def _grown(known: Sequence[_Known], seed: int) -> _Forest:
    """A forest that takes a stopped query for what those that ended let expect beyond its bound.

    Another round would change nothing: such trees are sure of what they were grown on.
    """
    ended = [(one.point, one.surprise) for one in known if not one.stopped]
    forest, stopped = _Forest(ended, seed), [one for one in known if one.stopped]
    if not stopped:
        return forest
    opinions = forest(np.array([one.point for one in stopped], dtype=np.float32))
    bounds = np.array([one.surprise for one in stopped])
    deviation = np.maximum(opinions.std(axis=0), np.sqrt(LEAST_VARIANCE))
    beyond = mean_beyond(bounds, opinions.mean(axis=0), deviation)
    guessed = [(one.point, float(log)) for one, log in zip(stopped, beyond, strict=True)]
    return _Forest([*ended, *guessed], seed)


class _Forest:
    """Extremely randomised trees on what is known; without anything, no change."""

    def __init__(self, known: Sequence[tuple[Floats, float]], seed: int) -> None:
        self._trees: list[Any] = []
        if not known:
            return
        points = np.array([point for point, _ in known], dtype=np.float32)
        logs = np.array([log_ratio for _, log_ratio in known])
        self._used = varying(points)
        points = np.ascontiguousarray(points[:, self._used])
        for number in range(TREES):
            tree: Any = ExtraTreeRegressor(max_features=TRIED, random_state=(seed + number) % SEEDS)
            self._trees.append(tree.fit(points, logs, check_input=False).tree_)

    def __call__(self, points: NDArray[np.floating[Any]]) -> Floats:
        """What each tree expects, shape (trees, n)."""
        if not self._trees:
            return np.zeros((TREES, len(points)))
        used = np.ascontiguousarray(points[:, self._used], dtype=np.float32)
        return np.stack([tree.predict(used)[:, 0] for tree in self._trees])
