"""Options that several commands share, declared once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from llmtune.errors import UsageError
from llmtune.units import parse_duration, parse_memory

SERVER = "Server"
WORKLOAD = "Workload"
MODEL = "Model"


def _checked(parse: Callable[[str], Any]) -> Callable[[str | None], str | None]:
    """A callback that refuses a text which `parse` refuses, and so names the option."""

    def check(text: str | None) -> str | None:
        try:
            if text is not None:
                parse(text)
        except UsageError as error:
            raise typer.BadParameter(str(error)) from error
        return text

    return check


Target = Annotated[
    str,
    typer.Option(
        "--target",
        rich_help_panel=SERVER,
        help="`embedded` (a throw-away server) or a `postgresql://` address.",
    ),
]
Cores = Annotated[
    int | None,
    typer.Option(
        min=1,
        rich_help_panel=SERVER,
        show_default="all of this machine",
        help="Cores the server may use.",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        callback=_checked(parse_memory),
        metavar="SIZE",
        rich_help_panel=SERVER,
        show_default="all of this machine",
        help="Memory the server may use, such as `512MB`. An embedded server is held to it "
        "by a control group, which needs root. Say it when the server runs elsewhere.",
    ),
]
Bindir = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=SERVER,
        show_default="the embedded PostgreSQL",
        help="Folder with another PostgreSQL's programs (14 to 18) for the embedded target, "
        "as `pg_config --bindir` prints it.",
    ),
]
Workload = Annotated[
    str, typer.Option("--workload", rich_help_panel=WORKLOAD, help="What to run: `tpch`.")
]
Scale = Annotated[
    float | None,
    typer.Option(
        "--scale",
        rich_help_panel=WORKLOAD,
        show_default="the workload's own, see `llmtune workloads`",
        help="The data set's scale factor.",
    ),
]
TimeBudget = Annotated[
    str | None,
    typer.Option(
        callback=_checked(parse_duration),
        metavar="DURATION",
        show_default="none",
        help="Wall time for everything, such as `30m`.",
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Draws query parameters and everything else random.")
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on standard output, nothing else.")
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
        help="Base model: a name or a folder.",
    ),
]
Store = Annotated[
    str | None,
    typer.Option(
        show_default="a SQLite file in your data folder",
        help="SQLAlchemy URL of the session store.",
    ),
]
