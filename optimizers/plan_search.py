"""The search for the next configuration: many are drawn, some are planned, one is asked.

Each generation has grafts for single queries, variations that the knobs alone let hope for,
and others as they were drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from llmtune.knobs.configuration import Configuration
from optimizers.candidates import Candidates
from optimizers.plan_grafts import Grafts
from optimizers.plan_model import Outlook
from optimizers.space import Floats

GENERATIONS = 3
"""Rounds of a search: each varies the best that the one before it found."""

POOL = 100
"""Candidates of a generation that are judged by their knobs alone."""

SEARCHED_TABLES = 1500
"""Tables of the queries that a search plans, about, each as often as it does. It is no budget
in seconds: an ask comes out the same on a busy machine, and when a session is resumed."""

FEWEST, MOST = 2, 40
"""Candidates of a generation that are planned, whatever the budget gives."""

SCREENED = 1 / 3
"""Of what is planned beside grafts, the share that the knobs alone chose; the rest stay as
they were drawn, for what knobs cannot foretell."""

Judge: TypeAlias = Callable[[Sequence[Configuration]], Outlook]
Screen: TypeAlias = Callable[[Sequence[Configuration]], Floats]
"""Configurations to how bad they may be, shape (n,); less is better."""


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
        grafts: for single queries of the best that is known.
        tables: of the queries that the judge plans for a candidate; 0 where they only call
            functions.
    """

    candidates: Candidates
    screen: Screen
    judge: Judge
    grafts: Grafts
    tables: int

    @property
    def planned(self) -> int:
        """Candidates that a generation plans."""
        tables = max(1, self.tables)
        return min(MOST, max(FEWEST, SEARCHED_TABLES // (GENERATIONS * tables)))

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
        leading, hoped = list(parents), self.judge(parents[:1]).times[0]
        for _ in range(GENERATIONS):
            known = {*without, *found}
            grafted = [one for one in self.grafts.onto(leading[0], hoped, rng) if one not in known]
            pool = self.candidates.pool(leading, POOL, rng, {*known, *grafted})
            promising = [*grafted, *self._promising(pool, self.planned - len(grafted))]
            if not promising:
                break
            judged = self.judge(promising)
            found.extend(promising)
            outlook = judged if outlook is None else outlook.joined(judged)
            order = np.argsort(outlook.hoped, kind="stable")
            leading = [*(found[place] for place in order[: len(parents)]), *parents]
            hoped = outlook.times[order[0]]
        return None if outlook is None else Found(tuple(found), outlook)

    def _promising(self, pool: Sequence[Configuration], count: int) -> list[Configuration]:
        """Those that may turn out best, judged by their knobs, and some of the others."""
        if not pool or count <= 0:
            return []
        order = np.argsort(self.screen(pool), kind="stable")
        chosen = [pool[place] for place in order[: round(SCREENED * count)]]
        others = [one for one in pool if one not in chosen]
        return [*chosen, *others[: count - len(chosen)]]
