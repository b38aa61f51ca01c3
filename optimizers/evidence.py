"""Evidence: trials as points and losses, for backends that know complete measurements only.

This is the one place that decides what a failure and a bound are worth to a model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llmtune.trial import Trial, TrialStatus
from optimizers.space import Floats
from workloads.objective import Objective

LEAST = 1e-9
"""Of a value, of which a logarithm can be taken."""


class Evidence:
    """What the trials of one session say about the places that they tried.

    A loss is a logarithm, as `Objective.loss` has it: times and rates are positive and vary
    by factors, and so do the effects of knobs on them.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._points: list[Floats] = []
        self._trials: list[Trial] = []

    def __len__(self) -> int:
        return len(self._trials)

    def add(self, point: Floats, trial: Trial) -> None:
        """One trial and the point, shape (d,), at which it was made."""
        self._points.append(point)
        self._trials.append(trial)

    @property
    def points(self) -> Floats:
        """Where the trials were, in their order: shape (n, d)."""
        return np.array(self._points)

    @property
    def losses(self) -> Floats:
        """One loss for each trial, shape (n,), none of them infinite.

        A CAPPED trial's real loss lies beyond its bound: it counts as the mean of the
        measured losses beyond that bound, or as the bound where none is. A trial
        without a value counts as the worst loss that is known, bounds included, so a
        model keeps away from it and is not bent by an invented extreme.
        """
        measured = np.array([self._loss(t) for t in self._trials if t.succeeded])
        known = [self._loss(t) for t in self._trials if t.value is not None]
        worst = max(known, default=0.0)
        return np.array([self._worth(trial, measured, worst) for trial in self._trials])

    @property
    def bounds(self) -> Floats:
        """The bound of each CAPPED trial's loss, and the loss of any other, shape (n,)."""
        told = zip(self._trials, self.capped, self.losses, strict=True)
        return np.array([self._loss(trial) if capped else loss for trial, capped, loss in told])

    @property
    def measured(self) -> Sequence[bool]:
        """For each trial whether its loss is a measurement."""
        return [trial.succeeded for trial in self._trials]

    @property
    def capped(self) -> Sequence[bool]:
        """For each trial whether all that is known of its loss is a bound."""
        return [trial.status is TrialStatus.CAPPED for trial in self._trials]

    @property
    def failed(self) -> Sequence[bool]:
        """For each trial whether nothing is known of its loss."""
        return [trial.value is None for trial in self._trials]

    def _worth(self, trial: Trial, measured: Floats, worst: float) -> float:
        if trial.value is None:
            return worst
        loss = self._loss(trial)
        beyond = measured[measured > loss]
        return loss if trial.succeeded or not beyond.size else float(beyond.mean())

    def _loss(self, trial: Trial) -> float:
        return self._objective.loss(max(trial.value or 0.0, LEAST))
