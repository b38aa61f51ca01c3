"""The `llmtune` command: its sub-commands, and how errors reach the user.

Modules of this package import only what parsing needs at their top; a command
imports its machinery when it runs, so that `llmtune --help` answers at once.
"""

from __future__ import annotations

import errno
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from llmtune import __version__
from llmtune.cli import (
    compare,
    datagen,
    doctor,
    evaluate,
    export,
    restore,
    sessions,
    suggest,
    train,
    tune,
    workloads,
)
from llmtune.cli.signals import interruptible
from llmtune.errors import LLMTuneError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""A disk may fill up, or turn read-only, at any write: no defect of ours."""


class Commands(TyperGroup):
    """The sub-commands; what is not a defect ends with its message, not a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except LLMTuneError as error:
            raise _failed(error, str(error), error.exit_code) from error
        except KeyboardInterrupt as error:
            raise _failed(error, "interrupted") from error
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise _failed(error, f"cannot write: {error}; make room and run it again") from error


def _failed(error: BaseException, message: str, exit_code: int = 1) -> typer.Exit:
    """Tell the user, with whatever was noted on the error on its way up."""
    for line in (f"llmtune: {message}", *getattr(error, "__notes__", ())):
        typer.secho(line, fg="red", err=True)
    return typer.Exit(exit_code)


app = typer.Typer(
    name="llmtune",
    cls=Commands,
    help="Tune PostgreSQL knobs, starting from a language model's first guess.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(tune.tune)
app.command()(suggest.suggest)
app.command()(datagen.datagen)
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(compare.compare)
app.command("workloads")(workloads.workloads)
app.command("sessions")(sessions.sessions)
app.command()(sessions.show)
app.command()(sessions.resume)
app.command()(export.export)
app.command()(restore.restore)
app.command()(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llmtune {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Tune PostgreSQL knobs, starting from a language model's first guess."""


def main() -> None:
    """Run the command line."""
    with interruptible():
        app()
