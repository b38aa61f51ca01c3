"""Which knobs a session's trials say matter, and how sure they are of it.

Sources: total effects I. M. Sobol, "Global sensitivity indices for nonlinear mathematical
models" (2001), estimated as M. J. W. Jansen, "Analysis of variance designs for model output"
(1999), on a forest as F. Hutter et al., "An Efficient Approach for Assessing Hyperparameter
Importance" (ICML 2014); columns of chance as M. B. Kursa and W. R. Rudnicki, "Feature Selection
with the Boruta Package" (2010). scikit-learn is loaded when it computes.

Total effects and not main ones, as Hutter's: a knob that acts only together with another has
no main effect, and narrowing would drop it. Over the session's own values and not the knobs'
whole ranges: of what no trial came near a forest knows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
RESAMPLES, TREES = 100, 8
"""Forests, each on a draw of its own from the configurations, and the trees of each."""
DRAWS = 200
"""Configurations that are drawn, and changed in one knob after the other."""
CHANCE_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class KnobImportance:
    """How much one knob mattered, as far as the trials tell.

    Attributes:
        share: its total effect, 0 to 1: how much of the variance of the logarithm of the value
            is left, on average, where all other knobs are held fixed. The variance is that
            over configurations which take each knob's value from a trial of its own, any of
            the session's. Where no knobs act together the shares add up to 1.
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
    table = np.concatenate([points, chance], axis=1)[rows]
    trees = Trees(table, losses[rows], int(rng.integers(2**31)), TREES)
    return total_effects(lambda drawn: trees.each(drawn).mean(axis=0), table, rng)


def total_effects(
    surface: Callable[[Floats], Floats], points: Floats, rng: np.random.Generator
) -> Floats:
    """Each axis's total effect on a surface, as `KnobImportance.share` has it.

    It is half the mean square of what drawing that one coordinate again changes, by the
    variance.

    Args:
        surface: from points, shape (n, d), to values, shape (n,).
        points: shape (n, d); of each axis these coordinates are drawn, whatever is drawn of
            the others.

    Returns:
        Shape (d,), 0 to 1; all 0 where nothing varies.
    """
    axes = points.shape[1]
    one, other = points[rng.integers(len(points), size=(2, DRAWS, axes)), np.arange(axes)]
    drawn = np.tile(one, (1 + axes, 1, 1))
    for axis in range(axes):
        drawn[1 + axis, :, axis] = other[:, axis]
    values = surface(drawn.reshape(-1, axes)).reshape(1 + axes, DRAWS)
    halves = ((values[1:] - values[0]) ** 2).mean(axis=1) / 2
    return np.asarray(np.clip(halves / max(float(values.var()), 1e-12), 0.0, 1.0))
