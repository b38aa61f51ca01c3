"""A comparison's figures: as JSON values, and as the table that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from llmtune.report.comparison import Arm, Estimate, median_interval, speed_up, zero_trial
from llmtune.report.curve import Axis
from llmtune.report.table import Table
from llmtune.report.wording import number_text, ratio_text


def comparison_facts(arms: Sequence[Arm]) -> dict[str, Any]:
    """Everything measured: the first arm is the cold one that the others are held against."""
    cold = arms[0]
    return {
        "objective": asdict(cold.objective),
        "cold": cold.label,
        "seeds": [run.seed for run in cold.runs],
        "arms": [_arm_facts(arm, cold) for arm in arms],
    }


def comparison_table(facts: Mapping[str, Any]) -> Table:
    """One row for each arm."""
    unit = facts["objective"]["unit"]
    columns = (
        "arm",
        f"best, {unit}",
        "speed-up, wall time",
        "speed-up, trials",
        "never reached",
        "first suggestion over default",
    )
    return Table(columns, tuple(_row(arm) for arm in facts["arms"]))


def _arm_facts(arm: Arm, cold: Arm) -> dict[str, Any]:
    finals = [run.curve.final for run in arm.runs]
    known = [final for final in finals if final is not None]
    facts: dict[str, Any] = {
        "label": arm.label,
        "best": asdict(median_interval(known)) if known else None,
        "runs": [
            {"seed": run.seed, "points": [asdict(point) for point in run.curve.points]}
            for run in arm.runs
        ],
    }
    if arm is not cold:
        facts["speed_up"] = {axis.value: asdict(speed_up(cold, arm, axis)) for axis in Axis}
        sources = {point.source for run in arm.runs for point in run.curve.points}
        facts["zero_trial"] = {
            source: asdict(zero_trial(cold, arm, source))
            for source in ("model", "rules", "file")
            if source in sources
        }
    return facts


def _row(arm: Mapping[str, Any]) -> tuple[str, ...]:
    best = "" if arm["best"] is None else _interval(Estimate(**arm["best"]), number_text)
    if "speed_up" not in arm:
        return (arm["label"], best, "1", "1", "", "")
    seconds, trials = (arm["speed_up"][axis.value] for axis in (Axis.SECONDS, Axis.TRIALS))
    first = next(iter(arm["zero_trial"].values()), None)
    over = first["over_default"] if first else None
    return (
        arm["label"],
        best,
        _interval(Estimate(**seconds["estimate"]), ratio_text),
        _interval(Estimate(**trials["estimate"]), ratio_text),
        f"{seconds['never_reached']} of {len(seconds['seeds'])}",
        "" if over is None else _interval(Estimate(**over), ratio_text),
    )


def _interval(estimate: Estimate, text: Any) -> str:
    return f"{text(estimate.median)} ({text(estimate.low)} to {text(estimate.high)})"
