"""The search for the next configuration: many are drawn, some are planned, one is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from llmtune.knobs.configuration import Configuration
from optimizers.candidates import Candidates
from optimizers.plan_model import Outlook

GENERATIONS = 3
"""Rounds of a search: each varies the best that the one before it found."""

POOL = 200
"""Candidates of a generation that are judged by their knobs alone."""

PLANNED_QUERIES = 600
"""EXPLAINs of a search, about. It is a budget in candidates and not in seconds: an ask
comes out the same on a busy machine, and when a session is resumed."""

FEWEST, MOST = 2, 40
"""Candidates of a generation that are planned, whatever the budget gives."""

SCREENED = 1 / 3
"""The share of the planned that the knobs alone chose; the rest stay as they were drawn,
for what knobs cannot foretell."""

Judge: TypeAlias = Callable[[Sequence[Configuration]], Outlook]


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates and what their plans promise."""

    configurations: tuple[Configuration, ...]
    outlook: Outlook


@dataclass(frozen=True, slots=True)
class PlanSearch:
    """Searches in generations.

    Attributes:
        screen: judges by the knobs alone, at once.
        judge: judges by the plans, which takes an EXPLAIN of each query.
        queries: how many there are to plan.
    """

    candidates: Candidates
    screen: Judge
    judge: Judge
    queries: int

    @property
    def planned(self) -> int:
        """Candidates that a generation plans."""
        return min(MOST, max(FEWEST, PLANNED_QUERIES // (GENERATIONS * self.queries)))

    def run(
        self,
        parents: Sequence[Configuration],
        rng: np.random.Generator,
        without: Collection[Configuration],
    ) -> Found | None:
        """What was found around `parents`, outside `without`; None if nothing is new.

        Args:
            parents: tried configurations, one at least.
        """
        found: list[Configuration] = []
        outlook: Outlook | None = None
        leading = list(parents)
        for _ in range(GENERATIONS):
            pool = self.candidates.pool(leading, POOL, rng, {*without, *found})
            if not pool:
                break
            promising = self._promising(pool)
            judged = self.judge(promising)
            found.extend(promising)
            outlook = judged if outlook is None else outlook.joined(judged)
            order = np.argsort(outlook.hoped, kind="stable")
            leading = [*(found[place] for place in order[: len(parents)]), *parents]
        return None if outlook is None else Found(tuple(found), outlook)

    def _promising(self, pool: Sequence[Configuration]) -> list[Configuration]:
        """Those that may turn out best, judged by their knobs, and some of the others."""
        outlook = self.screen(pool)
        order = np.argsort(outlook.hoped, kind="stable")
        chosen = [pool[place] for place in order[: round(SCREENED * self.planned)]]
        others = [one for one in pool if one not in chosen]
        return [*chosen, *others[: self.planned - len(chosen)]]
