"""A finished session on the terminal: the answer, what it changes, where to read more."""

from __future__ import annotations

from pathlib import Path

import typer

from llmtune.cli.output import print_table, print_text
from llmtune.report.table import decision_table, knob_table
from llmtune.report.wording import headline
from llmtune.tuning.result import TuningResult


def show_result(result: TuningResult, out: Path, *, as_json: bool) -> None:
    """Print a result for people, or `result.json` itself."""
    if as_json:
        typer.echo(result.to_json(), nl=False)
        return
    found = headline(result)
    print_text(f"\n{found.title}", "bold")
    print_text(found.detail)
    print_table(decision_table(result))
    if result.knobs:
        print_table(knob_table(result.knobs))
    print_text(f"Report: {out / 'report.html'}   settings: {out / 'best.conf'}")
