"""The `llmtune` command: its sub-commands, and how errors reach the user.

Modules of this package import only what parsing needs at their top; a command
imports its machinery when it runs, so that `llmtune --help` answers at once.
"""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from llmtune import __version__
from llmtune.cli import compare, datagen, evaluate, sessions, suggest, train, tune
from llmtune.errors import LLMTuneError

app = typer.Typer(
    name="llmtune",
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
app.command("sessions")(sessions.sessions)
app.command()(sessions.show)
app.command()(sessions.resume)


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
    """Run the command line; a user's mistake ends with its message, never a traceback."""
    # So that a SIGTERM, too, leaves through the context managers that restore the server.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except LLMTuneError as error:
        typer.secho(f"llmtune: {error}", fg="red", err=True)
        sys.exit(error.exit_code)
