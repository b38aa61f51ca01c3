"""A comparison's figures: as JSON values, and as the table that people read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llmtune.report.arms import Arm
from llmtune.report.comparison import (
    Estimate,
    SpeedUp,
    ZeroTrial,
    median_interval,
    reference,
    span_coverage,
    speed_up,
    zero_trial,
)
from llmtune.report.curve import Axis
from llmtune.report.effort import Effort, area, effort
from llmtune.report.table import Table
from llmtune.report.wording import number_text, ratio_text, span_text

SUGGESTING = ("model", "nearest", "constant", "surrogate", "rules", "file", "prior")
"""Sources of suggestions; of one that several made, a portfolio's own comes first."""

MEASURED = "measured"
"""The basis of a comparison whose every trial ran on a server."""


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """What was measured of one arm.

    Attributes:
        against: label of the arm that it is held against; None for that one itself.
        best: of the sessions' best values; None when no trial of any succeeded.
        again: of the means of their final runs, in as many sessions as have them; None where
            there are none.
        area: as `effort.area` has it, over the trials that all sessions made.
        speed_ups: in trials and in seconds; empty where there is nothing to reach.
        zero_trials: of each source that suggested, in the order in which they were tried.
    """

    arm: Arm
    against: str | None
    best: Estimate | None
    again: Estimate | None
    area: Estimate | None
    effort: Effort
    speed_ups: Mapping[Axis, SpeedUp]
    zero_trials: tuple[ZeroTrial, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """All arms of one comparison.

    Attributes:
        basis: `measured`, or what the values are instead.
        notes: what one must know to read them.
        trials: how many trials every session made at least.
    """

    workload: str
    arms: tuple[ArmFigures, ...]
    trials: int
    basis: str = MEASURED
    notes: tuple[str, ...] = ()


def comparison_figures(
    workload: str, arms: Sequence[Arm], basis: str = MEASURED, notes: Sequence[str] = ()
) -> Figures:
    """Every arm's figures, each against its `reference`.

    Raises:
        UsageError: two arms have no seed in common, or different objectives.
    """
    trials = min(len(run.curve.points) for arm in arms for run in arm.runs)
    found = tuple(_figures(arm, reference(arm, arms), trials) for arm in arms)
    return Figures(workload, found, trials, basis, (*notes, *_spans(found), *_failures(found)))


def comparison_facts(figures: Figures) -> dict[str, Any]:
    """The figures and the curves behind them as JSON values."""
    first = figures.arms[0].arm
    return {
        "basis": figures.basis,
        "workload": figures.workload,
        "objective": asdict(first.objective),
        "cold": next((one.arm.label for one in figures.arms if one.arm.cold), first.label),
        "seeds": [run.seed for run in first.runs],
        "trials": figures.trials,
        "notes": list(figures.notes),
        "arms": [_facts(one) for one in figures.arms],
    }


def comparison_table(figures: Figures) -> Table:
    """One row for each arm."""
    arms = "arm" if figures.basis == MEASURED else f"arm ({figures.basis})"
    unit = figures.arms[0].arm.objective.unit
    again = any(one.again for one in figures.arms)
    columns = (
        arms,
        "against",
        f"best, {unit}",
        *([f"measured again, {unit}"] if again else []),
        f"y*, {unit}",
        "trials to y*",
        "time to y*",
        "speed-up, trials",
        "speed-up, wall time",
        "never reached",
        "first suggestion over default",
        f"area, {figures.trials} trials",
        "failed, capped",
        "overhead",
    )
    return Table(columns, tuple(_row(one, again=again) for one in figures.arms))


def _figures(arm: Arm, against: Arm | None, trials: int) -> ArmFigures:
    finals = [final for run in arm.runs if (final := run.curve.final) is not None]
    again = [mean for run in arm.runs if (mean := run.final_mean) is not None]
    held = against if against is not None else arm
    speed_ups = {axis: speed_up(held, arm, axis) for axis in Axis}
    return ArmFigures(
        arm=arm,
        against=None if against is None else against.label,
        best=median_interval(finals) if finals else None,
        again=median_interval(again) if again else None,
        area=area(arm, trials),
        effort=effort(arm),
        speed_ups={axis: one for axis, one in speed_ups.items() if one is not None},
        zero_trials=tuple(zero_trial(held, arm, one) for one in _suggesting(arm)),
    )


def _suggesting(arm: Arm) -> list[str]:
    """Whose suggestions the arm tried, in the order in which it tried them."""
    tried: dict[str, float] = {}
    for run in arm.runs:
        for source in run.curve.sources.intersection(SUGGESTING):
            first = run.curve.first(source)
            at = math.inf if first is None else first.trial
            tried[source] = min(at, tried.get(source, math.inf))
    return sorted(tried, key=lambda source: (tried[source], SUGGESTING.index(source)))


def _spans(found: Sequence[ArmFigures]) -> Iterator[str]:
    """What the table's intervals are worth that rest on few seeds."""
    estimates = [
        estimate
        for one in found
        for estimate in (
            *(one.best, one.again, one.area),
            *(speed.estimate for speed in one.speed_ups.values()),
            *(zero.over_default for zero in one.zero_trials[:1]),
        )
    ]
    for count in sorted({one.count for one in estimates if one is not None and one.count > 1}):
        if coverage := span_coverage(count):
            yield (
                f"an interval here is the span of {count} seeds; "
                f"it holds the median with probability {coverage:.0%}"
            )


def _failures(found: Sequence[ArmFigures]) -> Iterator[str]:
    for one in found:
        if one.best is None:
            yield f"{one.arm.label}: no trial succeeded, so it has no best value and no speed-up"
        elif not one.speed_ups:
            yield (
                f"{one.arm.label}: no trial of {one.against} succeeded with the seeds that both "
                "have: there is no y* to reach"
            )
        for run in (run for run in one.arm.runs if None in run.again):
            yield f"{one.arm.label}: seed {run.seed}'s best configuration failed in its final runs"


def _facts(figures: ArmFigures) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "label": figures.arm.label,
        "optimizer": figures.arm.optimizer,
        "cold": figures.arm.cold,
        "against": figures.against,
        "best": asdict(figures.best) if figures.best else None,
        "again": asdict(figures.again) if figures.again else None,
        "area": asdict(figures.area) if figures.area else None,
        "effort": asdict(figures.effort),
        "runs": [
            {
                "seed": run.seed,
                "again": list(run.again),
                "points": [asdict(point) for point in run.curve.points],
            }
            for run in figures.arm.runs
        ],
    }
    if figures.speed_ups and figures.against is not None:
        facts["speed_up"] = {axis.value: asdict(one) for axis, one in figures.speed_ups.items()}
    facts["zero_trial"] = {one.source: asdict(one) for one in figures.zero_trials}
    return facts


def _row(figures: ArmFigures, *, again: bool) -> tuple[str, ...]:
    seconds, trials = figures.speed_ups.get(Axis.SECONDS), figures.speed_ups.get(Axis.TRIALS)
    first = figures.zero_trials[0].over_default if figures.zero_trials else None
    held = figures.against is not None
    effort = figures.effort
    return (
        figures.arm.label,
        figures.against or "",
        _interval(figures.best, number_text) or "no trial succeeded",
        *([_again(figures)] if again else []),
        "" if trials is None else number_text(median_interval(trials.targets).median),
        "" if trials is None else _work(trials, number_text),
        "" if seconds is None else _work(seconds, span_text),
        _interval(trials.estimate, ratio_text) if held and trials else "",
        _interval(seconds.estimate, ratio_text) if held and seconds else "",
        f"{seconds.never_reached} of {len(seconds.seeds)}" if held and seconds else "",
        _interval(first, ratio_text),
        _interval(figures.area, number_text),
        f"{effort.failed}, {effort.capped} of {effort.trials}",
        "" if effort.overhead is None else f"{effort.overhead:.0%}",
    )


def _again(figures: ArmFigures) -> str:
    """The median, and of how many seeds it is where some lack it."""
    text, count = _interval(figures.again, number_text), len(figures.arm.runs)
    if figures.again is None or figures.again.count == count:
        return text
    return f"{text}, {figures.again.count} of {count} seeds"


def _work(one: SpeedUp, text: Callable[[float], str]) -> str:
    return "never" if one.median_needed is None else text(one.median_needed)


def _interval(estimate: Estimate | None, text: Callable[[float], str]) -> str:
    """The median and its interval, which one seed has not; nothing where there is no median."""
    if estimate is None:
        return ""
    if estimate.count == 1:
        return text(estimate.median)
    return f"{text(estimate.median)} ({text(estimate.low)} to {text(estimate.high)})"
