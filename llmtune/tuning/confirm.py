"""Interleaved runs of default, best and runner-up, which decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from llmtune.knobs.configuration import Configuration
from llmtune.trial import Trial
from llmtune.tuning.interval import Floats, bootstrap_interval
from workloads.objective import Objective


@dataclass(frozen=True, slots=True)
class Arm:
    """One configuration that takes part, and who proposed it."""

    label: str
    source: str
    configuration: Configuration


Measure = Callable[[Arm], Trial]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and its 95% interval, in the objective's unit."""

    value: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the interleaved runs say.

    Attributes:
        default: of the default configuration.
        winner: the arm to recommend; the default's when nothing ran better.
        best: of the winner.
        ratio: how many times better the winner is than the default.
        ci95: the ratio's bootstrap interval.
    """

    default: Estimate
    winner: Arm
    best: Estimate
    ratio: float
    ci95: tuple[float, float]

    @property
    def significant(self) -> bool:
        """Whether the interval of the ratio excludes 1."""
        return self.ci95[0] > 1.0 or self.ci95[1] < 1.0

    @property
    def improved(self) -> bool:
        """Whether the winner is better than the default, beyond the noise."""
        return self.ci95[0] > 1.0


def confirm(
    measure: Measure, arms: Sequence[Arm], runs: int, objective: Objective, seed: int
) -> Confirmation | None:
    """Run every arm `runs` times in ABBA order and compare with the first, the default.

    Every other round runs backwards, so a drift of the machine hits all arms alike.
    An arm that fails once is out. None: the default itself failed.
    """
    values = _interleaved(measure, arms, runs)
    running = [arm for arm in arms if len(values[arm.label]) == runs]
    if not running or running[0] != arms[0]:
        return None
    rounds = np.array([values[arm.label] for arm in running]).T
    means = [float(mean) for mean in rounds.mean(axis=0)]
    best = _winner(rounds, objective, seed)
    return Confirmation(
        default=_estimate(rounds, 0, means, seed),
        winner=running[best],
        best=_estimate(rounds, best, means, seed),
        ratio=objective.ratio(means[0], means[best]),
        ci95=_ratio_interval(rounds, 0, best, objective, seed),
    )


def _winner(rounds: Floats, objective: Objective, seed: int) -> int:
    """The arm to recommend: the default's (0) when nothing ran better.

    A later arm than the first proposal, which was minimised, takes its place only
    when it is better beyond the noise: the runner-up still has all its changes.
    """
    means = [float(mean) for mean in rounds.mean(axis=0)]
    best = 0
    for arm, mean in enumerate(means):
        if not objective.better(mean, means[best]):
            continue
        if best == 0 or _ratio_interval(rounds, best, arm, objective, seed)[0] > 1.0:
            best = arm
    return best


def _ratio_interval(
    rounds: Floats, base: int, other: int, objective: Objective, seed: int
) -> tuple[float, float]:
    """The 95% interval of how many times better the arm `other` is than `base`."""

    def ratio(sample: Floats) -> Floats:
        per_arm: Floats = sample.mean(axis=1)
        return objective.ratio(per_arm[:, base], per_arm[:, other])

    return bootstrap_interval(rounds, ratio, seed)


def _interleaved(measure: Measure, arms: Sequence[Arm], runs: int) -> dict[str, list[float]]:
    """Each arm's values in the order of the rounds; shorter for an arm that failed."""
    values: dict[str, list[float]] = {arm.label: [] for arm in arms}
    running = list(arms)
    for turn in range(runs):
        for arm in running if turn % 2 == 0 else running[::-1]:
            trial = measure(arm)
            if trial.succeeded and trial.value is not None:
                values[arm.label].append(trial.value)
            elif arm is arms[0]:
                return values  # with nothing to compare to, the rest is of no use
        running = [arm for arm in running if len(values[arm.label]) == turn + 1]
    return values


def _estimate(rounds: Floats, arm: int, means: Sequence[float], seed: int) -> Estimate:
    def mean(sample: Floats) -> Floats:
        per_sample: Floats = sample[:, :, arm].mean(axis=1)
        return per_sample

    return Estimate(means[arm], bootstrap_interval(rounds, mean, seed))
