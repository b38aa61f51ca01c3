"""A finished session on the terminal: the answer, what it changes, where to read more."""

from __future__ import annotations

from pathlib import Path

import typer

from llmtune.cli.output import print_table, print_text
from llmtune.report.table import decision_table, knob_table
from llmtune.report.wording import headline
from llmtune.tuning.record import SessionRecord
from llmtune.tuning.restore_points import PointState, RestorePoints
from llmtune.tuning.result import TuningResult
from llmtune.tuning.store import SessionStore, store_option


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


def tell_unapplied(result: TuningResult, record: SessionRecord, store: SessionStore) -> None:
    """Say on standard error what is left to do where `tune --apply` did not come to its end.

    Sessions of before that was kept do not say whether it was wanted.
    """
    name, points = record.id, RestorePoints(store).points()
    applied = any(one.id == name and one.state is PointState.KEPT for one in points)
    if record.origin.apply and result.improvement.improved and not applied:
        how = f"`llmtune export {name} --format sql{store_option(store.name)}`"
        typer.secho(
            f"llmtune: session {name} was started with --apply, and `llmtune resume` applies "
            f"nothing; {how} has the statements",
            fg="yellow",
            err=True,
        )
