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


Target = Annotated[
    str,
    typer.Option(
        "--target",
        rich_help_panel=SERVER,
        help="`embedded` or `docker` (a throw-away server), or a server's address: "
        "`postgresql://...`, `host=... dbname=...`, `service=...`. The PG* variables and pgpass "
        "give what it leaves open.",
    ),
]
AllowRestart = Annotated[
    bool,
    typer.Option(
        "--allow-restart",
        rich_help_panel=SERVER,
        help="A server behind an address may be restarted, by one of the ways below.",
    ),
]
RestartCommand = Annotated[
    str | None,
    typer.Option(
        metavar="COMMAND",
        rich_help_panel=SERVER,
        help="Restart by this command, run on this machine without a shell.",
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
        help="Restart by `pg_ctl` the server of this data folder, as the folder's owner.",
    ),
]
Cores = Annotated[
    int | None,
    typer.Option(
        min=1,
        rich_help_panel=SERVER,
        show_default="all of its machine, where that is this one",
        help="Cores the server may use.",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        callback=checked(parse_memory),
        metavar="SIZE",
        rich_help_panel=SERVER,
        show_default="all of its machine, where that is this one",
        help="Memory the server may use, such as `512MB`. A container is held to it, "
        "an embedded server by a control group, which needs root. Say it when the server runs "
        "elsewhere.",
    ),
]
Image = Annotated[
    str | None,
    typer.Option(
        "--image",
        rich_help_panel=SERVER,
        show_default="postgres:18",
        help="Image for the docker target: the official `postgres`, or one made from it. It is "
        "not pulled for you.",
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
    str,
    typer.Option(
        "--workload",
        rich_help_panel=WORKLOAD,
        help="What to run: a name that `llmtune workloads` lists, a `.sql` file, or a folder "
        "of them.",
    ),
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
Clients = Annotated[
    int | None,
    typer.Option(
        "--clients",
        min=1,
        rich_help_panel=WORKLOAD,
        show_default="the workload's own",
        help="Connections that run a transaction mix at once.",
    ),
]
Duration = Annotated[
    str | None,
    typer.Option(
        "--duration",
        callback=checked(parse_duration),
        metavar="DURATION",
        rich_help_panel=WORKLOAD,
        show_default="the workload's own",
        help="Time of one run of a transaction mix, such as `30s`.",
    ),
]
Objective = Annotated[
    str | None,
    typer.Option(
        "--objective",
        rich_help_panel=WORKLOAD,
        show_default="latency of queries, throughput of transaction mixes",
        help="What to improve: `latency`, `throughput` or `p95`.",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        rich_help_panel=WORKLOAD,
        show_default="generated data",
        help="Your copy of the data, a folder or an archive: of `job` the real IMDb; of "
        "`captured` the server's statement log, csv or JSON, or a folder of them.",
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="NAME",
        rich_help_panel=WORKLOAD,
        show_default="the one that the target connects to",
        help="Database of the server that holds the data already.",
    ),
]
DataSet = Annotated[
    str | None,
    typer.Option(
        "--data-set",
        metavar="WORKLOAD",
        rich_help_panel=WORKLOAD,
        show_default="the target's own database",
        help="Run your own or synthesized queries over this workload's data.",
    ),
]
AllowWrites = Annotated[
    bool,
    typer.Option(
        "--allow-writes",
        rich_help_panel=WORKLOAD,
        help="Run your statements that change data too, each in a transaction that is rolled back.",
    ),
]
QueryTimeout = Annotated[
    str | None,
    typer.Option(
        "--query-timeout",
        callback=checked(parse_duration),
        metavar="DURATION",
        rich_help_panel=WORKLOAD,
        show_default="5min",
        help="Longest time of one query, such as `30s`.",
    ),
]
Queries = Annotated[
    int | None,
    typer.Option(
        "--queries",
        min=1,
        rich_help_panel=WORKLOAD,
        show_default="30",
        help="How many queries to synthesize.",
    ),
]
LeaveOutFailing = Annotated[
    bool,
    typer.Option(
        "--leave-out-failing",
        rich_help_panel=WORKLOAD,
        help="Leave out queries that fail or exceed the time, instead of refusing the workload.",
    ),
]
RawTimes = Annotated[
    bool,
    typer.Option(
        "--raw-times",
        rich_help_panel=WORKLOAD,
        help="Leave queries' times as they are; else they are told as at the machine's pace in "
        "the first trial, which short probes between the queries watch.",
    ),
]
Drawn = Annotated[
    bool,
    typer.Option(
        "--drawn",
        rich_help_panel=WORKLOAD,
        help="Draw new queries by the seed where the published ones are the default, as of `job`.",
    ),
]
TimeBudget = Annotated[
    str | None,
    typer.Option(
        callback=checked(parse_duration),
        metavar="DURATION",
        show_default="none",
        help="Wall time for everything, such as `30m`.",
    ),
]
Spare = Annotated[
    str | None,
    typer.Option(
        "--spare",
        metavar="SAVINGS",
        show_default="all",
        help="What search trials need not do again: `all`, `none`, or with commas between them "
        "`warm` (what the server has read already), `restarts` (for next to nothing), `reuse` "
        "(times that earlier trials know), `bounds` (hopeless remainders), `order` (what tells "
        "little comes late). Final runs are always full.",
    ),
]
KeepKnobs = Annotated[
    int | None,
    typer.Option(
        "--keep-knobs",
        min=1,
        metavar="K",
        show_default="all",
        help="Go on with the K knobs that mattered most in the first trials, see --after; the "
        "others stay as the best configuration has them then.",
    ),
]
After = Annotated[
    int | None,
    typer.Option(
        "--after",
        metavar="N",
        show_default="20",
        help="Trials before --keep-knobs decides which knobs it keeps.",
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Draws query parameters and everything else random.")
]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Answer every question with yes, for scripts.")
]
AllowDurabilityRisk = Annotated[
    bool,
    typer.Option(
        "--allow-durability-risk",
        rich_help_panel=SERVER,
        help="Tune knobs too with which a crash loses committed data, such as synchronous_commit.",
    ),
]
AllowStandby = Annotated[
    bool,
    typer.Option(
        "--allow-standby", rich_help_panel=SERVER, help="Tune a server that is a standby."
    ),
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
