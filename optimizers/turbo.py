"""TuRBO: a Gaussian process that is trusted only in a box around the best point.

Source: D. Eriksson et al., "Scalable Global Optimization via Local Bayesian
Optimization" (arXiv 1910.01739). Import lazily; BoTorch is in the extra `turbo`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from botorch.acquisition import LogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.utils.warnings import NumericalWarning

from optimizers.model_based import ModelBased
from optimizers.space import Floats

CANDIDATES = 1000
MOVED_AXES = 8
"""About how many coordinates of the centre a candidate changes. The paper's 20 are half of
some forty knobs, too many to be told apart in a session."""
FIT_STEPS = 50
"""Of the fit of a model's hyper-parameters, which would else take most of an ask."""
LEAST_GAIN = 1e-3
"""A loss must fall by this much to count as a success; losses are logarithms."""


@dataclass(frozen=True, slots=True)
class TrustRegion:
    """The box's side after a run of trials.

    It grows after a row of successes and shrinks after a row of failures. The paper
    waits for as many failures as there are axes; a session of some sixty trials over
    forty knobs would then never shrink it, so a sixth of that has to do.

    The paper discards a region that became too small, with its data, and begins another with
    fresh draws. Here the box only has its first side again: the model keeps all trials, and
    what it believes best is the centre. That comes after some twenty-eight failures, late in
    a session, of which fresh draws would use up what is left.

    Attributes:
        length: side of the box in the unit cube, before the axes' own scales.
    """

    length: float = 0.8
    successes: int = 0
    failures: int = 0

    SMALLEST, LARGEST, ROW = 0.5**7, 1.6, 3

    def after(self, *, better: bool, axes: int) -> TrustRegion:
        """The region once another trial was better than the best before it, or was not."""
        successes = self.successes + 1 if better else 0
        failures = 0 if better else self.failures + 1
        if successes == self.ROW:
            return TrustRegion(min(2 * self.length, self.LARGEST))
        if failures == max(4, axes // 6):
            shorter = self.length / 2
            return TrustRegion(shorter if shorter >= self.SMALLEST else TrustRegion().length)
        return TrustRegion(self.length, successes, failures)


def region_after(losses: Floats, start: int, axes: int) -> TrustRegion:
    """The trust region that a sequence of losses, shape (n,), leads to.

    Args:
        start: how many of them were there before the region, at least 1; these only say what
            is to be beaten.
    """
    region, best = TrustRegion(), np.minimum.accumulate(losses)
    for loss, before in zip(losses[start:], best[start - 1 : -1], strict=True):
        region = region.after(better=bool(loss < before - LEAST_GAIN), axes=axes)
    return region


class TuRBO(ModelBased):
    """One trust region; choices are slots of an axis.

    The paper takes a Thompson sample. In forty dimensions a draw from the posterior of
    a few dozen trials is mostly of what is not known; expected improvement, asked of the
    same candidates, finds more (docs/optimizers.md).
    """

    name = "turbo"

    def propose(self, points: Floats, losses: Floats, seed: int) -> Floats:
        """The candidate in the box from which most improvement is expected."""
        with torch.random.fork_rng(), warnings.catch_warnings():
            # Points close together make a matrix singular but for the jitter that is added.
            warnings.simplefilter("ignore", NumericalWarning)
            torch.manual_seed(seed)
            model = _fitted(points, losses)
            side = region_after(losses, self.startup_trials, points.shape[1]).length
            believed = _believed(model, points)
            centre = points[int(believed.argmax())]
            box = _box(centre, side * _axis_scales(model))
            candidates = _candidates(centre, *box, np.random.default_rng(seed))
            improvement = LogExpectedImprovement(model, best_f=float(believed.max()))
            with torch.no_grad():
                expected = improvement(torch.from_numpy(candidates)[:, None, :])
        return np.asarray(candidates[int(expected.argmax())])


def _fitted(points: Floats, losses: Floats) -> Any:
    """A Gaussian process of the negated losses: it maximises."""
    spread = losses.std() or 1.0
    targets = torch.from_numpy(-(losses - losses.mean()) / spread)[:, None]
    model = SingleTaskGP(torch.from_numpy(points), targets)
    fit_gpytorch_mll(
        ExactMarginalLogLikelihood(model.likelihood, model),
        optimizer_kwargs={"options": {"maxiter": FIT_STEPS}},
    )
    return model


def _believed(model: Any, points: Floats) -> Floats:
    """What the model takes the points, shape (n, d), for, shape (n,): noise flatters the best."""
    with torch.no_grad():
        return np.asarray(model.posterior(torch.from_numpy(points)).mean.numpy().ravel())


def _axis_scales(model: Any) -> Floats:
    """The length scales, shape (d,), with a geometric mean of 1."""
    kernel = model.covar_module
    lengths = getattr(kernel, "base_kernel", kernel).lengthscale.detach().numpy().ravel()
    return np.asarray(lengths / np.exp(np.log(lengths).mean()))


def _box(centre: Floats, sides: Floats) -> tuple[Floats, Floats]:
    return np.clip(centre - sides / 2, 0.0, 1.0), np.clip(centre + sides / 2, 0.0, 1.0)


def _candidates(centre: Floats, low: Floats, high: Floats, rng: np.random.Generator) -> Floats:
    """Points of the box that differ from its centre on some axes, at least one each."""
    axes = len(centre)
    drawn = rng.uniform(low, high, size=(CANDIDATES, axes))
    moved = rng.uniform(size=drawn.shape) <= min(MOVED_AXES / axes, 1.0)
    moved[np.arange(CANDIDATES), rng.integers(axes, size=CANDIDATES)] = True
    return np.where(moved, drawn, centre)
