"""`llmtune export`: a stored session's answer, or its trials, for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options
from llmtune.cli.sessions import SessionId
from llmtune.errors import SessionError, UsageError
from llmtune.paths import is_folder

if TYPE_CHECKING:
    from llmtune.tuning.result import TuningResult
    from llmtune.tuning.store import SessionStore


class Format(StrEnum):
    """What is exported, by how the usual file's name ends."""

    CONF = "conf"
    SQL = "sql"
    JSON = "json"
    CSV = "csv"


FILES = {
    Format.CONF: "best.conf",
    Format.SQL: "best.sql",
    Format.JSON: "result.json",
    Format.CSV: "trials.csv",
}


def export(
    session: SessionId,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            show_default="conf, or by the ending of --out",
            help="`conf`: lines for postgresql.conf; `sql`: ALTER SYSTEM statements; `json`: "
            "result.json; `csv`: the trials, a row each, also if the session has no answer yet.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|FOLDER",
            show_default="standard output",
            help="Where to write it. A folder, without --format, gets all files that `tune` "
            "writes.",
        ),
    ] = None,
    store: options.Store = None,
    json: Annotated[bool, typer.Option("--json", help="The same as `--format json`.")] = False,
) -> None:
    """Export the answer of a finished session, or the trials of any, from the session store.

    No server is asked or changed.
    """
    from llmtune.tuning.store import SessionStore

    if out is not None and _wants_all(form, out, json=json):
        _everything(SessionStore(store), session, out)
        return
    form = _form(form, out, json=json)
    _put(_text(SessionStore(store), session, form), form, out, quiet=json)


def _wants_all(form: Format | None, out: Path, *, json: bool) -> bool:
    """Whether `out` is a folder, there or to be made, for all that `tune` writes.

    A file's name ends in letters: `out/sf0.3` is a folder's.
    """
    return form is None and not json and (is_folder(out) or not out.suffix[1:].isalpha())


def _form(form: Format | None, out: Path | None, *, json: bool) -> Format:
    """What is asked for, by the options or by how the file's name ends.

    Raises:
        UsageError: options do not go together, or it cannot be told.
    """
    options.check_json(form, json=json)
    if json or form is not None or out is None:
        return form or (Format.JSON if json else Format.CONF)
    if out.suffix[1:] not in list(Format):
        raise UsageError(f"say what {out} is to hold: --format {', '.join(Format)}")
    return Format(out.suffix[1:])


def _everything(store: SessionStore, session: str, folder: Path) -> None:
    """Write what `tune` wrote, and show the answer as it did."""
    from llmtune.cli.outcome import show_result
    from llmtune.cli.session_run import write_stored

    show_result(write_stored(folder, store, session), folder, as_json=False)


def _text(store: SessionStore, session: str, form: Format) -> str:
    from llmtune.report.export import conf, sql
    from llmtune.report.wording import provenance
    from llmtune.tuning.assemble import stored_result

    if form is Format.CSV:
        return _trials(store, session)
    result = stored_result(store, session)
    if form is Format.JSON:
        return result.to_json()
    _warn_unproven(result)
    return (conf if form is Format.CONF else sql)(result.knobs, provenance(result))


def _trials(store: SessionStore, session: str) -> str:
    from llmtune.report.export import trials_csv
    from llmtune.tuning.assemble import trial_facts

    record = store.summary(session).record
    trials = [trial_facts(entry) for entry in store.journal(record.id)]
    if not trials:
        raise SessionError(f"session {record.id} has no trial yet, so there is nothing to export")
    return trials_csv(record.id, record.objective, trials)


def _warn_unproven(result: TuningResult) -> None:
    """What is piped into psql is not read first."""
    from llmtune.report.wording import headline

    if not result.improvement.improved:
        said = headline(result)
        typer.secho(f"llmtune: {said.title}. {said.detail}", fg="yellow", err=True)


def _put(text: str, form: Format, out: Path | None, *, quiet: bool) -> None:
    """Print the text, or write it to a file, in a folder under its usual name."""
    from llmtune.cli.output import print_text

    if out is None:
        typer.echo(text, nl=False)
        return
    path = out / FILES[form] if is_folder(out) else out
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}; name another file with --out"
        ) from error
    if not quiet:
        print_text(f"Written: {path}")
