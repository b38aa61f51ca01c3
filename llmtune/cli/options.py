"""Options that several commands share, declared once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from llmtune.errors import UsageError
from llmtune.units import parse_duration

MODEL = "Model"


def checked(parse: Callable[[str], Any]) -> Callable[[str | None], str | None]:
    """A callback that refuses a text which `parse` refuses, and so names the option."""

    def check(text: str | None) -> str | None:
        try:
            if text is not None:
                parse(text)
        except UsageError as error:
            raise typer.BadParameter(str(error)) from error
        return text

    return check


def check_json(form: str | None, *, json: bool) -> None:
    """Refuse `--json` beside a `--format` that is another.

    Raises:
        UsageError: both were given.
    """
    if json and form not in (None, "json"):
        raise UsageError(f"--json is --format json; leave one of --json and --format {form} out")


TimeBudget = Annotated[
    str | None,
    typer.Option(
        callback=checked(parse_duration),
        metavar="DURATION",
        show_default="none",
        help="Wall time for everything, such as `30m`: the search, minimising, and at least three "
        "final runs of each configuration.",
    ),
]
Spare = Annotated[
    str | None,
    typer.Option(
        "--spare",
        metavar="SAVINGS",
        show_default="all",
        help="Work that search trials skip: `all`, `none`, or a list with commas of `warm` "
        "(warming what is cached already), `restarts` (restarts for a negligible change; not "
        "where the sessions of `compare` take turns), `reuse` (queries whose plan and time are "
        "known), `cap` (the rest of a trial that is sure to be 1.5 times worse than the best), "
        "`bounds` (be sure sooner, by what the queries still to come take at least), `order` (be "
        "sure sooner, with the most informative queries first); these two bring `cap` with them. "
        "Trials about as good as the best are timed twice; final runs are always full.",
    ),
]
KeepKnobs = Annotated[
    int | None,
    typer.Option(
        "--keep-knobs",
        min=1,
        metavar="K",
        show_default="all",
        help="After the first trials (see --after), tune only the K knobs that mattered most in "
        "them. The others keep the values that the best configuration has by then.",
    ),
]
After = Annotated[
    int | None,
    typer.Option(
        "--after",
        metavar="N",
        show_default="20",
        help="How many trials are made before --keep-knobs chooses its knobs.",
    ),
]
MOST_SEED = 2**32 - 1
"""The largest that every optimizer's random numbers can start from."""
Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        min=0,
        max=MOST_SEED,
        help="Seed of the query parameters and of everything else that is random.",
    ),
]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Answer every question with yes, for scripts.")
]
Json = Annotated[
    bool, typer.Option("--json", help="Print only the result, as JSON, on standard output.")
]
Adapter = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=MODEL,
        show_default="the one that ships with LLMTune",
        help="Folder of a trained adapter.",
    ),
]
Base = Annotated[
    str | None,
    typer.Option(
        "--base",
        rich_help_panel=MODEL,
        show_default="the one installed with LLMTune",
        help="Base model: a name, a folder or a GGUF file.",
    ),
]
Store = Annotated[
    str | None,
    typer.Option(
        show_default="a SQLite file in your data folder",
        help="SQLAlchemy URL of the session store.",
    ),
]
