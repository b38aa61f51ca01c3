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
        show_default="tpch; on a server's address none",
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
        help="Report times as measured. By default they are corrected for how fast the machine "
        "is just now, which short probes between the queries measure.",
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
