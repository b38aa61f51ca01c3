"""Options that name a server and say what may be done to it, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmtune.cli.options import checked
from llmtune.knobs import storage
from llmtune.knobs.hardware import parse_server_memory

SERVER = "Server"

Target = Annotated[
    str,
    typer.Option(
        "--target",
        rich_help_panel=SERVER,
        help="`embedded` or `docker` (a throw-away server), or a server's address: "
        "`postgresql://...`, `host=... dbname=...`, `service=...`. The PG* variables and pgpass "
        "fill in what it leaves out.",
    ),
]
AllowRestart = Annotated[
    bool,
    typer.Option(
        "--allow-restart",
        rich_help_panel=SERVER,
        help="Allow restarts of the server at an address, in one of the ways below. Some knobs "
        "need one.",
    ),
]
RestartCommand = Annotated[
    str | None,
    typer.Option(
        metavar="COMMAND",
        rich_help_panel=SERVER,
        help="Restart it by this command, run on this machine without a shell.",
    ),
]
RestartContainer = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", rich_help_panel=SERVER, help="Restart the Docker container it runs in."
    ),
]
RestartUnit = Annotated[
    str | None,
    typer.Option(
        metavar="UNIT", rich_help_panel=SERVER, help="Restart this systemd unit of this machine."
    ),
]
RestartPgdata = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        rich_help_panel=SERVER,
        help="Restart it by `pg_ctl` with this data folder, as the folder's owner.",
    ),
]
Cores = Annotated[
    int | None,
    typer.Option(
        min=1,
        rich_help_panel=SERVER,
        show_default="detected on this machine; otherwise required",
        help="Cores the server may use.",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        callback=checked(parse_server_memory),
        metavar="SIZE",
        rich_help_panel=SERVER,
        show_default="detected on this machine; otherwise required",
        help="Memory the server may use, such as `512MB`. It limits a container, and an embedded "
        "server by a control group, which needs root or a delegated cgroup v2.",
    ),
]
Storage = Annotated[
    storage.Storage | None,
    typer.Option(
        "--storage",
        rich_help_panel=SERVER,
        show_default="as the disk of a server on this machine tells; else ssd",
        help="What the server's data lie on, which the rules go by: solid state, rotating disks, "
        "or a storage network.",
    ),
]
Image = Annotated[
    str | None,
    typer.Option(
        "--image",
        rich_help_panel=SERVER,
        show_default="postgres:18",
        help="Image for the docker target: the official `postgres`, or one made from it. Pull it "
        "first.",
    ),
]
Bindir = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=SERVER,
        show_default="the embedded PostgreSQL",
        help="Folder with the programs of another PostgreSQL (14 to 18) for the embedded target, "
        "as `pg_config --bindir` prints it.",
    ),
]
AllowDurabilityRisk = Annotated[
    bool,
    typer.Option(
        "--allow-durability-risk",
        rich_help_panel=SERVER,
        help="Also tune knobs that can lose committed data in a crash, such as synchronous_commit.",
    ),
]
PeakSessions = Annotated[
    int | None,
    typer.Option(
        min=1,
        rich_help_panel=SERVER,
        show_default="the workload's, or those open now if they are more",
        help="Busiest number of concurrent sessions. Configurations that could run out of memory "
        "at that load are not applied. Give it with --apply or --observe, which change the "
        "settings of all sessions.",
    ),
]
AllowStandby = Annotated[
    bool,
    typer.Option(
        "--allow-standby", rich_help_panel=SERVER, help="Tune a server that is a standby."
    ),
]
