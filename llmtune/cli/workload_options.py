"""Options that name a workload and say how it runs, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmtune.cli.options import checked
from llmtune.units import parse_duration

WORKLOAD = "Workload"

Workload = Annotated[
    str | None,
    typer.Option(
        "--workload",
        rich_help_panel=WORKLOAD,
        show_default="tpch; required with a server's address",
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
        help="How long one run of a transaction mix takes, such as `30s`.",
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
        help="Your own data, a folder or an archive. For `job`: the real IMDb. For `captured`: "
        "the server's statement log, csv or JSON, or a folder of such files.",
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="NAME",
        rich_help_panel=WORKLOAD,
        show_default="the one that the target connects to",
        help="The server's database that already holds the data.",
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
        help="Also run statements of yours that change data, each in a transaction that is rolled "
        "back.",
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
        help="Longest time that one query may take, such as `30s`.",
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
        help="Leave out queries that fail or take too long, instead of refusing the workload.",
    ),
]
RawTimes = Annotated[
    bool,
    typer.Option(
        "--raw-times",
        rich_help_panel=WORKLOAD,
        help="Report times as measured. By default they are corrected for the machine's present "
        "speed, which short probes between the queries measure.",
    ),
]
Drawn = Annotated[
    bool,
    typer.Option(
        "--drawn",
        rich_help_panel=WORKLOAD,
        help="Draw new queries by the seed, instead of the published ones. For `job`.",
    ),
]
