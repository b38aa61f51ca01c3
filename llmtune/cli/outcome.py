"""A finished session on the terminal: the answer, what it changes, where to read more."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table as RichTable

from llmtune.report.table import Table, decision_table, knob_table
from llmtune.report.wording import decision_text, headline
from llmtune.tuning.result import TuningResult


def show_result(result: TuningResult, out: Path, *, as_json: bool) -> None:
    """Print a result for people, or `result.json` itself."""
    if as_json:
        typer.echo(result.to_json(), nl=False)
        return
    console = Console()
    console.print()
    console.print(f"[bold]{headline(result).title}[/bold]")
    console.print(decision_text(result))
    console.print(rich_table(decision_table(result)))
    if result.knobs:
        console.print(rich_table(knob_table(result.knobs)))
    console.print(f"Report: {out / 'report.html'}   settings: {out / 'best.conf'}")


def rich_table(table: Table) -> RichTable:
    """A table of the report as Rich draws it."""
    drawn = RichTable(show_edge=False, pad_edge=False, header_style="bold")
    for column in table.columns:
        drawn.add_column(column, overflow="fold")
    for row in table.rows:
        drawn.add_row(*row)
    return drawn
