"""`plan`: candidates are judged by the plans that they would get, before any is run.

A surrogate of each query, whose features are the query's plan under each configuration,
is refitted on the session's own times of single queries. EXPLAIN costs a hundredth of
running a query, so an ask can look at dozens of candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.knob import Effect
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial
from optimizers.base import Optimizer
from optimizers.candidates import Candidates
from optimizers.open_asks import OpenAsks
from optimizers.plan_grafts import Grafts
from optimizers.plan_model import Outlook, PlanModel
from optimizers.plan_rest import RestModel
from optimizers.plan_search import Found, Judge, PlanSearch, Screen
from optimizers.projection import Projection, unchanged
from optimizers.query_evidence import QueryEvidence
from optimizers.query_rows import Row
from optimizers.restart_saving import left_in_force
from optimizers.space import Floats, UnitCube
from optimizers.trees import Trees
from optimizers.what_if import WhatIf
from workloads.objective import Objective

DRAWS, DRAWN = 10, 100
"""Configurations that are drawn beside the search and planned once, for grafts to come from: so
many at first and more with each configuration tried, up to so many."""

PARENTS = 5
"""Best trials that a search sets out from."""

WORTH_A_FACTOR = 0.05
"""In log units of the total: so much more is gained that a trial may take e times as long."""

PLANNED_TABLES = 70
"""Tables of the queries whose plans are looked at, the heaviest ones: 17 of TPC-H, 0.95 of its
time, and six or seven of the Join Order Benchmark, 0.53 of its time."""

RESTART_S = 1.0
"""Seconds that a restart is taken to last where one can be spared, about an embedded server's.
Trials do not tell how long theirs took, so where one takes a minute too many are asked for."""


def heaviest_planned(heaviest: Sequence[str], tables: Mapping[str, int]) -> Sequence[str]:
    """Of these query ids, heaviest first, those whose plans are looked at: one at least.

    Args:
        tables: for each id, how many tables its plan has.
    """
    counts = accumulate(tables[one] for one in heaviest)
    return heaviest[: max(1, sum(count <= PLANNED_TABLES for count in counts))]


class Plan(Optimizer):
    """Asks for what promises the best total, as what-if plans let it be foreseen.

    What it asks follows from the seed, the tells, the open asks, and the plans that the server
    shows: autovacuum's ANALYZE may change these in the middle of a session, and then a replayed
    journal goes on otherwise. `what_if` is only called in `ask`, when no trial runs.
    """

    name = "plan"

    def __init__(
        self,
        space: KnobSpace,
        objective: Objective,
        seed: int,
        project: Projection = unchanged,
        *,
        what_if: WhatIf,
        restart_s: float = RESTART_S,
    ) -> None:
        super().__init__(space, objective, seed)
        self.cube = UnitCube(space)
        self._what_if = what_if
        self._restart_s = restart_s
        self._project = project
        self._candidates = Candidates(self.cube, project)
        self._drawn = self._candidates.pool((), DRAWN, np.random.default_rng(seed))
        self._evidence = QueryEvidence(what_if.weights, objective, space.baseline())
        self._tables: dict[Configuration, Floats] = {}
        self._open = OpenAsks(seed)
        self._in_force = space.baseline()
        self._restarted_for = [k.name for k in space.knobs if k.effect is Effect.RESTART]

    def ask(self) -> Configuration:
        """The candidate that promises most; a random one until all queries were timed once."""
        rng = self._open.rng(len(self._evidence))
        configuration = self._next(rng)
        self._open.add(configuration)
        return configuration

    def tell(self, trial: Trial) -> None:
        """Note what the server is left with; prior data, which are only learnt, leave nothing."""
        self._in_force = left_in_force(trial, self._in_force, self.space.baseline())
        super().tell(trial)

    def learn(self, trial: Trial) -> None:
        """Add it to the evidence; it answers the open ask of its configuration, if any."""
        self._evidence.add(self.cube.vector(trial.configuration), trial)
        self._open.answer(trial.configuration)

    def _next(self, rng: np.random.Generator) -> Configuration:
        trials = self._evidence.trials
        seen = {*self._open, *(trial.configuration for trial in trials)}
        if self._evidence.first_timed is None:
            return self._candidates.fresh(rng, seen)
        seed, queries = int(rng.integers(2**31)), self._planned_queries()
        model = self._fitted(queries, seed)
        search = PlanSearch(
            self._candidates,
            self._screen(),
            self._judge(model, queries, seed),
            self._grafts(model, queries),
            tables=sum(self._what_if.tables[one] for one in queries),
        )
        found = search.run(self._parents(), rng, seen)
        return self._candidates.fresh(rng, seen) if found is None else self._choice(found)

    @property
    def _draws(self) -> list[Configuration]:
        """Those that may be planned by now; the default, however often it ran, brings none."""
        tried = {trial.configuration for trial in self._evidence.trials}
        return self._drawn[: DRAWS * (len(tried - {self.space.baseline()}) + 1)]

    def _planned_queries(self) -> list[str]:
        """The ids of those whose plans are looked at, the same ones from the first times on."""
        heaviest = self._evidence.heaviest_first
        chosen = set(heaviest_planned(heaviest, self._what_if.tables))
        return [one for one in self._what_if.weights if one in chosen]

    def _parents(self) -> list[Configuration]:
        """The best trials' configurations, best first."""
        trials = self._evidence.trials
        order = np.argsort(self._evidence.losses, kind="stable")
        best = dict.fromkeys(trials[at].configuration for at in order if trials[at].succeeded)
        return list(best)[:PARENTS]

    def _choice(self, found: Found) -> Configuration:
        """What promises most for its time."""
        worth = np.log(self._shares_of_time(found)) - found.outlook.hoped / WORTH_A_FACTOR
        return found.configurations[int(np.argmax(worth))]

    def _shares_of_time(self, found: Found) -> Floats:
        """How much of each trial's time would be measuring, shape (n,): all, but for a restart."""
        restarts = [
            any(one[name] != self._in_force[name] for name in self._restarted_for)
            for one in found.configurations
        ]
        seconds = np.exp(found.outlook.mean) * self._evidence.seconds
        return np.where(restarts, seconds / (seconds + self._restart_s), 1.0)

    def _fitted(self, queries: Sequence[str], seed: int) -> PlanModel:
        """The model after all trials; open asks count as trials that went as badly as any."""
        baseline = self.cube.space.baseline()
        tried = [trial.configuration for trial in self._evidence.trials]
        known = [baseline, *tried]
        self._tables.update(zip(known, self._features(known, queries), strict=True))
        feared = np.full(len(queries), self._evidence.losses.max())
        rows = self._evidence.rows(queries)
        rows += [Row(list(range(len(queries))), feared)] * len(self._open)
        tables = self._features([*tried, *self._open], queries)
        shares = self._evidence.shares_of(queries)
        return PlanModel(shares, self._tables[baseline], tables, rows, seed)

    def _judge(self, model: PlanModel, queries: Sequence[str], seed: int) -> Judge:
        """Judges by the plans of some queries, and the others by the knobs' positions."""
        rest = RestModel(self._evidence.rest(queries), self._evidence.points, seed)

        def judge(ones: Sequence[Configuration]) -> Outlook:
            return rest.beside(model.predict(self._features(ones, queries)), self._points(ones))

        return judge

    def _grafts(self, model: PlanModel, queries: Sequence[str]) -> Grafts:
        """What the draws and the trials have for single queries."""
        tried = (trial.configuration for trial in self._evidence.trials)
        donors = list(dict.fromkeys([*self._draws, *tried]))
        tables = self._features(donors, queries)
        self._tables.update(zip(donors, tables, strict=True))

        def times(ones: Sequence[Configuration], place: int) -> Floats:
            return model.times(self._what_if.features(ones, [queries[place]]), place)

        return Grafts(donors, model.predict(tables).times, times, self._project)

    def _screen(self) -> Screen:
        """Judges by the knobs' positions alone."""
        trees = Trees(self._evidence.points, self._evidence.losses, self.seed)

        def screen(ones: Sequence[Configuration]) -> Floats:
            mean, variance = trees.predict(self._points(ones))
            return mean - np.sqrt(variance)

        return screen

    def _points(self, configurations: Sequence[Configuration]) -> Floats:
        """Where they are, shape (n, knobs)."""
        return np.array([self.cube.vector(one) for one in configurations])

    def _features(
        self, configurations: Sequence[Configuration], queries: Sequence[str]
    ) -> list[Floats]:
        """What the model sees of each configuration, shape (queries, d)."""
        new = [one for one in dict.fromkeys(configurations) if one not in self._tables]
        found = {
            **self._tables,
            **dict(zip(new, self._what_if.features(new, queries), strict=True)),
        }
        return [found[one] for one in configurations]
