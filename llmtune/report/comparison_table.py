"""A comparison's figures: as JSON values, and as the table that people read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llmtune.report.comparison import (
    Arm,
    Estimate,
    SpeedUp,
    ZeroTrial,
    median_interval,
    speed_up,
    zero_trial,
)
from llmtune.report.curve import Axis
from llmtune.report.table import Table
from llmtune.report.wording import number_text, ratio_text

SUGGESTING = ("model", "rules", "file")
"""Sources of first suggestions; a portfolio's own comes before those that back it up."""


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """What was measured of one arm.

    Attributes:
        best: of the sessions' best values; None when no trial of any succeeded.
        speed_ups: over the cold arm, in trials and in seconds; empty for that one itself.
        zero_trials: of each source that suggested, in the order of `SUGGESTING`.
    """

    arm: Arm
    best: Estimate | None
    speed_ups: Mapping[Axis, SpeedUp]
    zero_trials: tuple[ZeroTrial, ...]


def comparison_figures(arms: Sequence[Arm]) -> tuple[ArmFigures, ...]:
    """Every arm's figures; the first arm is the cold one that the others are held against.

    Raises:
        UsageError: there is nothing to hold them against: no cold trial succeeded.
    """
    return tuple(_figures(arm, arms[0]) for arm in arms)


def comparison_facts(figures: Sequence[ArmFigures]) -> dict[str, Any]:
    """The figures and the curves behind them as JSON values."""
    cold = figures[0].arm
    return {
        "objective": asdict(cold.objective),
        "cold": cold.label,
        "seeds": [run.seed for run in cold.runs],
        "arms": [_facts(one) for one in figures],
    }


def comparison_table(figures: Sequence[ArmFigures]) -> Table:
    """One row for each arm."""
    columns = (
        "arm",
        f"best, {figures[0].arm.objective.unit}",
        "speed-up, wall time",
        "speed-up, trials",
        "never reached",
        "first suggestion over default",
    )
    return Table(columns, tuple(map(_row, figures)))


def _figures(arm: Arm, cold: Arm) -> ArmFigures:
    finals = [final for run in arm.runs if (final := run.curve.final) is not None]
    best = median_interval(finals) if finals else None
    if arm is cold:
        return ArmFigures(arm, best, {}, ())
    sources = {point.source for run in arm.runs for point in run.curve.points}
    return ArmFigures(
        arm,
        best,
        {axis: speed_up(cold, arm, axis) for axis in Axis},
        tuple(zero_trial(cold, arm, source) for source in SUGGESTING if source in sources),
    )


def _facts(figures: ArmFigures) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "label": figures.arm.label,
        "best": asdict(figures.best) if figures.best else None,
        "runs": [
            {"seed": run.seed, "points": [asdict(point) for point in run.curve.points]}
            for run in figures.arm.runs
        ],
    }
    if figures.speed_ups:
        facts["speed_up"] = {axis.value: asdict(one) for axis, one in figures.speed_ups.items()}
        facts["zero_trial"] = {one.source: asdict(one) for one in figures.zero_trials}
    return facts


def _row(figures: ArmFigures) -> tuple[str, ...]:
    head = (figures.arm.label, _interval(figures.best, number_text))
    if not figures.speed_ups:
        return (*head, "1", "1", "", "")
    seconds, trials = figures.speed_ups[Axis.SECONDS], figures.speed_ups[Axis.TRIALS]
    first = figures.zero_trials[0].over_default if figures.zero_trials else None
    return (
        *head,
        _interval(seconds.estimate, ratio_text),
        _interval(trials.estimate, ratio_text),
        f"{seconds.never_reached} of {len(seconds.seeds)}",
        _interval(first, ratio_text),
    )


def _interval(estimate: Estimate | None, text: Callable[[float], str]) -> str:
    """The median and its interval; nothing for what could not be estimated."""
    if estimate is None:
        return ""
    return f"{text(estimate.median)} ({text(estimate.low)} to {text(estimate.high)})"
