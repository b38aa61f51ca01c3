"""What a comparison leaves in its folder."""

from __future__ import annotations

import json
from pathlib import Path

from llmtune.cli.output import print_json, print_table, print_text
from llmtune.errors import LLMTuneError
from llmtune.report.chart import comparison_chart, png, svg_file
from llmtune.report.comparison import band
from llmtune.report.comparison_csv import figures_csv, points_csv
from llmtune.report.comparison_table import (
    MEASURED,
    Figures,
    comparison_facts,
    comparison_table,
)
from llmtune.report.curve import Axis
from llmtune.report.interactive import comparison_html

DEFINITIONS = (
    "y*: the best value of the arm that this one is compared with, seed by seed. "
    "Speed-up: that arm's work until y* over this one's; 0 if this one never reached y*. "
    "First suggestion: 1 if it was the default, 0 if it failed or was stopped at the cap. "
    "Area: mean best so far over the default, trial by trial; less is better. "
    "Measured again: the best configurations in full, as the best of many runs is also lucky. "
    "All are medians over seeds, with a bootstrap 95% interval if there are six or more."
)


def finish_comparison(out: Path, figures: Figures, *, as_json: bool) -> None:
    """Write `comparison.json`, `arms.csv`, `trials.csv`, `curves.png`, `.svg`, `.html`; show it.

    Raises:
        LLMTuneError: they cannot be written.
    """
    try:
        _write(out, figures)
    except OSError as error:
        raise LLMTuneError(
            f"cannot write to {out}: {error.strerror}; the sessions are kept, call it again"
        ) from error
    if as_json:
        print_json(comparison_facts(figures))
        return
    if figures.basis != MEASURED:
        print_text(f"{figures.basis}: {figures.workload}", "bold")
    print_table(comparison_table(figures))
    for note in (DEFINITIONS, *figures.notes):
        print_text(note)
    print_text(f"Curves: {out / 'curves.html'}   figures: {out / 'comparison.json'}")


def _write(out: Path, figures: Figures) -> None:
    text = json.dumps(comparison_facts(figures), indent=2, allow_nan=False)
    (out / "comparison.json").write_text(text + "\n", "utf-8")
    (out / "arms.csv").write_text(figures_csv(figures), "utf-8")
    (out / "trials.csv").write_text(points_csv(figures), "utf-8")
    arms = [one.arm for one in figures.arms]
    drawn = [(arm.label, band(arm, Axis.TRIALS), band(arm, Axis.SECONDS)) for arm in arms]
    title = f"{figures.workload}, best so far (median over seeds)"
    if figures.basis != MEASURED:
        title = f"{title}: {figures.basis}"
    objective = arms[0].objective
    chart = comparison_chart(drawn, objective, title)
    (out / "curves.png").write_bytes(png(chart))
    (out / "curves.svg").write_text(svg_file(chart), "utf-8")
    (out / "curves.html").write_text(comparison_html(drawn, objective, title), "utf-8")
