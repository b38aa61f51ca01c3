"""Which knobs a session's trials say matter, and how sure they are of it.

Sources: total effects I. M. Sobol, "Global sensitivity indices for nonlinear mathematical
models" (2001), on a forest as F. Hutter et al., "An Efficient Approach for Assessing
Hyperparameter Importance" (ICML 2014); columns of chance as M. B. Kursa and W. R. Rudnicki,
"Feature Selection with the Boruta Package" (2010). scikit-learn is loaded when it computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial
from optimizers.evidence import Evidence
from optimizers.space import Floats, UnitCube
from optimizers.trees import Trees
from workloads.objective import Objective

LEAST_CONFIGURATIONS = 15
"""Measured configurations below which nothing is said."""
RESAMPLES, TREES = 20, 8
"""Forests, each on a draw of its own from the configurations, and the trees of each."""
BACKGROUND, PLACES = 30, 8
"""Configurations that every knob is varied in, and to how many places along its axis."""
CHANCE_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class KnobImportance:
    """How much one knob mattered, as far as the trials tell.

    Attributes:
        share: of the variance of the logarithm of the value around the session's
            configurations, what is gone when this knob alone is held fixed: its total
            effect, 0 to 1, what it does together with others included.
        interval: the middle 95% of `share` over resampled trials.
        matters: more than columns of random numbers get, in nearly every resample.
    """

    name: str
    share: float
    interval: tuple[float, float]
    matters: bool


def importance(
    space: KnobSpace, objective: Objective, trials: Sequence[Trial], seed: int = 0
) -> tuple[KnobImportance, ...]:
    """The knobs of `space`, the most important first; empty while too little is measured.

    Trials of one configuration are taken together, and only those with a value count.
    """
    points, losses = _measured(space, objective, trials)
    if len(losses) < LEAST_CONFIGURATIONS or np.ptp(losses) == 0:
        return ()
    rng = np.random.default_rng([seed, len(losses)])
    shares = np.array([_resampled_shares(points, losses, rng) for _ in range(RESAMPLES)])
    knobs, chance = shares[:, : points.shape[1]], shares[:, points.shape[1] :].max(axis=1)
    low, high = np.quantile(knobs, [0.025, 0.975], axis=0)
    above = (knobs > chance[:, None]).mean(axis=0)
    found = [
        KnobImportance(
            name, float(knobs[:, at].mean()), (float(low[at]), float(high[at])),
            matters=bool(above[at] >= 0.9),
        )
        for at, name in enumerate(space.names)
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: -one.share))


def _measured(
    space: KnobSpace, objective: Objective, trials: Sequence[Trial]
) -> tuple[Floats, Floats]:
    """Each configuration's point and its mean loss: shapes (n, d) and (n,)."""
    cube, evidence = UnitCube(space), Evidence(objective)
    valued = [trial for trial in trials if trial.value is not None]
    for trial in valued:
        evidence.add(cube.vector(trial.configuration), trial)
    together: dict[Configuration, list[int]] = {}
    for at, trial in enumerate(valued):
        together.setdefault(trial.configuration, []).append(at)
    points, losses = evidence.points, evidence.losses
    firsts = [rows[0] for rows in together.values()]
    means = np.array([losses[rows].mean() for rows in together.values()])
    return points[firsts] if firsts else points, means


def _resampled_shares(points: Floats, losses: Floats, rng: np.random.Generator) -> Floats:
    """Shares of the knobs, then of the columns of chance, on one draw: shape (d + c,)."""
    chance = rng.uniform(size=(len(points), CHANCE_COLUMNS))
    rows = rng.integers(len(points), size=len(points))
    table = np.concatenate([points, chance], axis=1)
    trees = Trees(table[rows], losses[rows], int(rng.integers(2**31)), TREES)
    background = table[rng.choice(len(table), min(BACKGROUND, len(table)), replace=False)]
    return total_effects(trees, background)


def total_effects(trees: Trees, background: Floats) -> Floats:
    """For each axis the mean variance along it, by the variance at the background.

    Args:
        background: shape (b, d): where the axes are varied.

    Returns:
        Shape (d,), 0 to 1; all 0 where nothing varies.
    """
    count, axes = background.shape
    places = (np.arange(PLACES) + 0.5) / PLACES
    varied = np.broadcast_to(background, (axes, PLACES, count, axes)).copy()
    for axis in range(axes):
        varied[axis, :, :, axis] = places[:, None]
    values = trees.each(varied.reshape(-1, axes)).mean(axis=0).reshape(axes, PLACES, count)
    along = values.var(axis=1).mean(axis=1)
    overall = max(float(values.var()), 1e-12)
    return np.asarray(np.clip(along / overall, 0.0, 1.0))
