"""`llmtune sessions`, `show` and `resume`: what is stored, and going on with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmtune.cli import options

SessionId = Annotated[str, typer.Argument(help="The session's id, as `llmtune sessions` lists it.")]


def sessions(store: options.Store = None, json: options.Json = False) -> None:
    """List the stored sessions, newest first."""
    from rich.console import Console

    from llmtune.cli.outcome import rich_table
    from llmtune.cli.output import print_json
    from llmtune.report.table import Table
    from llmtune.tuning.store import SessionStore

    found = SessionStore(store).sessions()
    columns = ("session", "started", "status", "trials", "workload", "target", "optimizer")
    rows = tuple(
        (
            one.record.id,
            one.created_at.strftime("%Y-%m-%d %H:%M"),
            one.status.value,
            str(one.trials),
            one.record.workload,
            one.record.target,
            one.record.optimizer,
        )
        for one in found
    )
    if json:
        print_json({"sessions": [dict(zip(columns, row, strict=True)) for row in rows]})
    else:
        Console().print(rich_table(Table(columns, rows)))


def show(session: SessionId, store: options.Store = None, json: options.Json = False) -> None:
    """Show the trials of a stored session."""
    from rich.console import Console

    from llmtune.cli.outcome import rich_table
    from llmtune.cli.output import print_json
    from llmtune.report.table import Table
    from llmtune.report.wording import number_text
    from llmtune.tuning.store import SessionStore

    opened = SessionStore(store)
    summary, journal = opened.summary(session), opened.journal(session)
    unit = summary.record.objective.unit
    columns = ("trial", "phase", "source", "status", "value", "wall time")
    rows = tuple(
        (
            str(entry.trial.number),
            entry.phase.value,
            entry.trial.source,
            entry.trial.status.value,
            "" if entry.trial.value is None else f"{number_text(entry.trial.value)} {unit}",
            f"{entry.trial.wall_s:.1f} s",
        )
        for entry in journal
    )
    if json:
        trials = [dict(zip(columns, row, strict=True)) for row in rows]
        print_json({"session": session, "status": summary.status.value, "trials": trials})
    else:
        Console().print(rich_table(Table(columns, rows)))


def resume(
    session: SessionId,
    target: Annotated[
        str | None,
        typer.Option(help="The target's address, when it needs a password: none is stored."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the result and the report.")] = Path("out"),
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Go on with an interrupted session behind its last finished trial."""
    from dataclasses import replace

    from llmtune.cli.bench import open_bench
    from llmtune.cli.outcome import show_result
    from llmtune.cli.progress import Reporter
    from llmtune.cli.session_run import requests_of, run_stored, write_files
    from llmtune.tuning.result import ready_folder
    from llmtune.tuning.store import SessionStore

    opened, reporter = SessionStore(store), Reporter(quiet=json)
    target_request, workload_request = requests_of(opened.summary(session).record)
    if target is not None:
        target_request = replace(target_request, target=target)
    ready_folder(out)
    with open_bench(target_request, workload_request, reporter) as bench:
        outcome, result = run_stored(bench, opened, session, reporter)
    write_files(out, outcome, result)
    show_result(result, out, as_json=json)
