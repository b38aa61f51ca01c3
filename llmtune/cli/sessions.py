"""`llmtune sessions`, `show` and `resume`: what is stored, and going on with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmtune.cli import options

if TYPE_CHECKING:
    from llmtune.tuning.record import SessionRecord
    from llmtune.tuning.store import SessionStore, SessionSummary

SessionId = Annotated[
    str,
    typer.Argument(help="The session's id, as `llmtune sessions` lists it, or its first letters."),
]


def sessions(store: options.Store = None, json: options.Json = False) -> None:
    """List the stored sessions, newest first, and the servers that need `llmtune restore`."""
    from llmtune.cli.output import print_json, print_table, print_text
    from llmtune.cli.safety import warn_of
    from llmtune.report.table import Table
    from llmtune.tuning.restore_points import RestorePoints
    from llmtune.tuning.store import SessionStore

    opened = SessionStore(store)
    facts = [_facts(one) for one in opened.sessions()]
    points = RestorePoints(opened)
    due = points.due()
    warn_of(points, due)
    if json:
        print_json({"sessions": facts, "restore_due": [one.id for one in due]})
    elif not facts:
        print_text("No session is stored yet; `llmtune tune` starts one.")
    else:
        columns = tuple(name for name in facts[0] if name != "message")
        print_table(Table(columns, tuple(tuple(str(one[c]) for c in columns) for one in facts)))
        for one in facts:
            if one["message"]:
                print_text(f"{one['session']} was interrupted: {one['message']}")


def show(session: SessionId, store: options.Store = None, json: options.Json = False) -> None:
    """Show the trials of a stored session, and which knobs mattered in them."""
    from dataclasses import asdict

    from llmtune.cli.output import print_json, print_table, print_text
    from llmtune.report.table import Table, importance_table, trial_table
    from llmtune.tuning.assemble import trial_facts, weights_of
    from llmtune.tuning.store import SessionStore

    opened = SessionStore(store)
    summary = opened.summary(session)
    entries = opened.journal(summary.record.id)
    trials, weights = [trial_facts(entry) for entry in entries], weights_of(summary.record, entries)
    if json:
        told = {"trials": list(map(asdict, trials)), "importance": list(map(asdict, weights))}
        print_json({**_facts(summary), **told})
        return
    print_table(trial_table(trials, summary.record.objective))
    if summary.message:
        print_text(f"\nInterrupted: {summary.message}")
    if important := importance_table(weights).rows:
        print_text("\nKnobs that stand out from chance")
        print_table(Table(importance_table(weights).columns, important))


def resume(
    session: SessionId,
    target: Annotated[
        str | None,
        typer.Option(
            show_default="as the session was started",
            help="The target's address, if it needs a password: none is stored.",
        ),
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(
            show_default="the session's own",
            help="Another optimizer. It is told all trials so far.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            show_default="as the session was started", help="Folder for the result and the report."
        ),
    ] = None,
    store: options.Store = None,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Continue an interrupted session after its last finished trial.

    Settings that it left on a live server are restored first. If the session is finished, its
    result is written from the store where it is missing, and no server is asked.
    Nothing is applied, even if the session was started with --apply: `llmtune export` has
    the statements.
    """
    from dataclasses import replace

    from llmtune.cli.observing import continued, open_measured
    from llmtune.cli.outcome import show_result, tell_unapplied
    from llmtune.cli.progress import Reporter
    from llmtune.cli.safety import Safety
    from llmtune.cli.session_run import finish, run_stored
    from llmtune.tuning.record import SessionStatus
    from llmtune.tuning.reopen import requests_of
    from llmtune.tuning.restore_points import RestorePoints
    from llmtune.tuning.result_file import ready_folder
    from llmtune.tuning.store import SessionStore
    from optimizers.registry import looks_at_plans

    opened, reporter = SessionStore(store), Reporter(quiet=json)
    summary = opened.summary(session)
    target_request, workload_request, its_folder = requests_of(summary.record)
    folder = out or its_folder
    if summary.status is SessionStatus.FINISHED:
        _check_missing(opened, summary, folder, wanted=out is not None, optimizer=optimizer)
        _write_missing(opened, summary, folder, as_json=json)
        return
    going_on = optimizer or summary.record.optimizer
    _check_optimizer(going_on, summary.record)
    if target is not None:
        target_request = replace(target_request, target=target)
    ready_folder(folder)
    session, risks = summary.record.id, summary.record.origin.risks
    safety = Safety(RestorePoints(opened), session, reporter, yes=yes, risks=risks)
    measured = continued(summary.record, opened.journal(session)) or workload_request
    with open_measured(
        target_request, measured, reporter, safety, queries_only=looks_at_plans(going_on)
    ) as bench:
        outcome = run_stored(bench, opened, session, reporter, optimizer)
        safety.end_runs(bench.target)
        result = finish(folder, outcome, bench, opened.name)
    show_result(result, folder, as_json=json)
    tell_unapplied(result, summary.record, opened)


def _check_optimizer(name: str, record: SessionRecord) -> None:
    """Find out before a server is started whether the optimizer can go on with the session.

    Raises:
        UsageError: it cannot.
    """
    from optimizers.registry import check_name, check_narrowing

    check_name(name)
    if record.plan.keep_knobs is not None:
        check_narrowing(name)


def _check_missing(
    store: SessionStore,
    summary: SessionSummary,
    folder: Path,
    *,
    wanted: bool,
    optimizer: str | None,
) -> None:
    """Make sure that writing a finished session's result is of use and harms no other.

    Args:
        wanted: the user named the folder.

    Raises:
        SessionError: the folder has it, or a later session's that would be lost.
        UsageError: another optimizer has nothing to propose.
    """
    from llmtune.cli.session_run import written_in
    from llmtune.errors import SessionError, UsageError
    from llmtune.tuning.store import store_option

    name, there = summary.record.id, written_in(folder)
    if there == name:
        raise SessionError(
            f"session {name} is finished, and {folder} has its result; there is nothing to resume"
        )
    if optimizer is not None:
        raise UsageError(f"session {name} is finished, so --optimizer has nothing to propose")
    if there is not None and not wanted and not _is_earlier(store, there, summary):
        raise SessionError(
            f"session {name} is finished, and {folder} has the result of {there} now; "
            f"`llmtune export {name}{store_option(store.name)} --out FOLDER` writes this one's "
            "elsewhere"
        )


def _is_earlier(store: SessionStore, other: str, summary: SessionSummary) -> bool:
    """Whether the other session began before; not, where the store does not know it."""
    from llmtune.errors import SessionError

    try:
        return store.summary(other).created_at < summary.created_at
    except SessionError:
        return False


def _write_missing(
    store: SessionStore, summary: SessionSummary, folder: Path, *, as_json: bool
) -> None:
    """Write and show a finished session's result; say what it left on its server, if anything."""
    from llmtune.cli.outcome import show_result, tell_unapplied
    from llmtune.cli.safety import warn_of
    from llmtune.cli.session_run import write_stored
    from llmtune.tuning.restore_points import RestorePoints

    name, points = summary.record.id, RestorePoints(store)
    result = write_stored(folder, store, name)
    show_result(result, folder, as_json=as_json)
    warn_of(points, [point for point in points.due() if point.id == name])
    tell_unapplied(result, summary.record, store)


def _facts(summary: SessionSummary) -> dict[str, Any]:
    record = summary.record
    return {
        "session": record.id,
        "started": summary.created_at.isoformat(" ", "minutes"),
        "status": summary.status.value,
        "trials": summary.trials,
        "workload": record.workload,
        "target": record.target,
        "optimizer": record.optimizer,
        "warm start": record.warm_start,
        "message": summary.message,
    }
