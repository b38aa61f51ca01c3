"""Options that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SERVER = "Server"
WORKLOAD = "Workload"

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
        help="Cores the server may use; default: all that this process may use.",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=SERVER,
        help="Memory the server may use, such as `512MB`. An embedded server is held to it "
        "by a cgroup, which needs root; default: all there is.",
    ),
]
Bindir = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=SERVER,
        help="Folder with another PostgreSQL's programs (14 to 18) for the embedded server, "
        "as `pg_config --bindir` prints it.",
    ),
]
Workload = Annotated[
    str, typer.Option("--workload", rich_help_panel=WORKLOAD, help="What to run: `tpch`.")
]
Scale = Annotated[
    float,
    typer.Option("--scale", rich_help_panel=WORKLOAD, help="The data set's scale factor."),
]
Seed = Annotated[
    int, typer.Option("--seed", help="Draws query parameters and everything else random.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, nothing else.")]
Adapter = Annotated[
    Path | None,
    typer.Option(help="Folder of a trained adapter; default: the one that ships with LLMTune."),
]
Store = Annotated[
    str | None,
    typer.Option(
        help="SQLAlchemy URL of the session store; default: a SQLite file in your data folder."
    ),
]
Base = Annotated[
    str | None,
    typer.Option(
        "--base", help="Base model: a name or a folder; default: the one installed with LLMTune."
    ),
]
