"""A comparison's figures and its trials as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from io import StringIO
from typing import Any

from llmtune.report.comparison import Estimate
from llmtune.report.comparison_table import ArmFigures, Figures
from llmtune.report.curve import Axis


def figures_csv(figures: Figures) -> str:
    """The table's figures as CSV, one line for each arm."""
    return csv_text([_plain(figures, one) for one in figures.arms])


def points_csv(figures: Figures) -> str:
    """Every trial of every session as CSV, with the best value so far."""
    return csv_text(list(_points(figures)))


def _plain(figures: Figures, one: ArmFigures) -> dict[str, Any]:
    row: dict[str, Any] = {
        "basis": figures.basis,
        "workload": figures.workload,
        "arm": one.arm.label,
        "against": one.against,
        "sessions": len(one.arm.runs),
        **_columns("best", one.best),
        **_columns("again", one.again),
        "again_sessions": one.again.count if one.again else 0,
        **_columns("area", one.area),
        "area_trials": figures.trials,
        **asdict(one.effort),
    }
    for axis in Axis:
        found = one.speed_ups.get(axis)
        row[f"{axis.value}_to_target"] = found.median_needed if found else None
        gained = found if one.against is not None else None  # over itself it says nothing
        row.update(_columns(f"speed_up_{axis.value}", gained.estimate if gained else None))
        row[f"never_reached_{axis.value}"] = gained.never_reached if gained else None
    zero = one.zero_trials[0] if one.zero_trials else None
    row["first_source"] = zero.source if zero else None
    row.update(_columns("first_over_default", zero.over_default if zero else None))
    return row


def _columns(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: estimate.median, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _points(figures: Figures) -> Iterator[dict[str, Any]]:
    for one in figures.arms:
        for run in one.arm.runs:
            for point, best in zip(run.curve.points, run.curve.best(), strict=True):
                head = {"basis": figures.basis, "arm": one.arm.label, "seed": run.seed}
                yield {**head, **asdict(point), "best_so_far": best}


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Numbers in full; an empty cell for what there is not."""
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
