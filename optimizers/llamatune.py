"""LlamaTune: any optimizer, working on a few synthetic knobs in place of all knobs.

Source: K. Kanellis et al., "LlamaTune: Sample-Efficient DBMS Configuration Tuning" (VLDB
2022): random projection, biased special values, bucketed ranges; see `embedding`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial, TrialStatus
from optimizers.base import Build, Optimizer
from optimizers.embedding import BUCKETS, Embedding
from optimizers.model_based import STARTUP_TRIALS
from optimizers.open_asks import OpenAsks
from optimizers.projection import Projection, unchanged
from optimizers.redraws import first_new, widths
from optimizers.space import UnitCube
from optimizers.start import start_point
from workloads.objective import Objective


class LlamaTune(Optimizer):
    """Lets an optimizer choose synthetic knobs, and asks the configuration they stand for.

    The first configurations, as many as the inner optimizer draws itself if these are more,
    are drawn around the baseline, as by any optimizer here, and not among what the synthetic
    knobs can say, as in the paper: any of that changes nearly all knobs at once, for the
    baseline itself is in it only by chance.

    It pays where few knobs matter. Knobs that follow the same synthetic one cannot be set
    apart, so where many matter the best that it can say is worse than what there is.

    A trial is told to it at the nearest point that stands for its configuration: for
    one that was proposed here and fits the memory its own, for a warm start or a
    shrunk one the best that the few synthetic knobs can say. Which of both it was makes
    no difference, and for each ask a new inner optimizer is told everything, so a
    replayed journal goes on as if never stopped. Open asks are told as failed.
    """

    def __init__(
        self,
        space: KnobSpace,
        objective: Objective,
        seed: int,
        project: Projection = unchanged,
        *,
        inner: Build,
        name: str = "llamatune",
        startup_trials: int = STARTUP_TRIALS,
    ) -> None:
        super().__init__(space, objective, seed)
        self._cube = UnitCube(space)
        self.name = name
        self._project = project
        self._inner = inner
        self._embedding = Embedding(space, seed)
        self.startup_trials = max(startup_trials, self._uninformed().startup_trials)
        self._told: list[Trial] = []
        self._tried: set[Configuration] = set()
        self._open = OpenAsks(seed)

    def ask(self) -> Configuration:
        """A draw at first, then what the inner optimizer's choice stands for; new if it can be."""
        rng = self._open.rng(len(self._told))
        starts = len(self._told) < self.startup_trials
        offered = self._drawn(rng) if starts else self._chosen(rng)
        configuration = first_new(offered, {*self._tried, *self._open})
        self._open.add(configuration)
        return configuration

    def learn(self, trial: Trial) -> None:
        """Keep the trial as the inner optimizer is to see it."""
        synthetic = self._embedding.preimage(trial.configuration)
        self._told.append(replace(trial, configuration=synthetic))
        self._tried.add(trial.configuration)
        self._open.answer(trial.configuration)

    def _drawn(self, rng: np.random.Generator) -> Iterator[Configuration]:
        """Around the baseline, one after the other."""
        baseline = self._cube.vector(self.space.baseline())
        while True:
            yield self._project(self._cube.at(start_point(baseline, rng)))

    def _chosen(self, rng: np.random.Generator) -> Iterator[Configuration]:
        """The inner optimizer's choice, then ever farther from it."""
        synthetic = self._informed().ask()
        yield self._meant(synthetic)
        for width in widths():
            synthetic = _moved(synthetic, width, rng)
            yield self._meant(synthetic)

    def _uninformed(self) -> Optimizer:
        return self._inner(self._embedding.low, self.objective, self.seed, unchanged)

    def _informed(self) -> Optimizer:
        inner = self._uninformed()
        for trial in self._told:
            inner.tell(trial)
        for number, configuration in enumerate(self._open, len(self._told)):
            synthetic = self._embedding.preimage(configuration)
            inner.tell(Trial(number, self.name, synthetic, TrialStatus.FAILED))
        return inner

    def _meant(self, synthetic: Configuration) -> Configuration:
        return self._project(self._embedding.configuration(synthetic))


def _moved(synthetic: Configuration, width: float, rng: np.random.Generator) -> Configuration:
    """A neighbour, every synthetic knob moved by about `width` of its range."""
    buckets = np.array([int(value) for value in synthetic.values()])
    steps = rng.normal(scale=width * BUCKETS, size=len(buckets)).round().astype(int)
    moved = np.clip(buckets + steps, 0, BUCKETS - 1)
    return Configuration(dict(zip(synthetic, map(int, moved), strict=True)))
