"""`llmtune suggest`: configurations from the plans and statistics alone."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options

if TYPE_CHECKING:
    from llmtune.tuning.result import KnobChange


class Format(StrEnum):
    """How a suggestion is printed."""

    CONF = "conf"
    SQL = "sql"
    JSON = "json"


def suggest(
    target: options.Target = "embedded",
    workload: options.Workload = "tpch",
    scale: options.Scale = None,
    clients: options.Clients = None,
    duration: options.Duration = None,
    objective: options.Objective = None,
    data: options.Data = None,
    database: options.Database = None,
    data_set: options.DataSet = None,
    allow_writes: options.AllowWrites = False,
    query_timeout: options.QueryTimeout = None,
    queries: options.Queries = None,
    leave_out_failing: options.LeaveOutFailing = False,
    drawn: options.Drawn = False,
    cores: options.Cores = None,
    memory: options.Memory = None,
    bindir: options.Bindir = None,
    image: options.Image = None,
    adapter: options.Adapter = None,
    base: options.Base = None,
    candidates: Annotated[int, typer.Option(min=1, help="Configurations to draw.")] = 8,
    seed: options.Seed = 0,
    form: Annotated[
        Format,
        typer.Option("--format", help="`conf` and `sql` print the first, `json` all of them."),
    ] = Format.CONF,
    json: Annotated[bool, typer.Option("--json", help="The same as `--format json`.")] = False,
) -> None:
    """Suggest configurations without running the workload: from its plans and statistics."""
    from llmtune.cli.bench import open_bench
    from llmtune.cli.progress import Reporter
    from llmtune.cli.safety import looking_on
    from llmtune.cli.suggesting import ModelRequest, ready_model
    from llmtune.cli.suggesting import suggest as ask_model
    from llmtune.cli.targets import TargetRequest
    from llmtune.cli.workload_options import workload_request
    from llmtune.tuning.assemble import knob_changes

    form = Format.JSON if json else form
    reporter = Reporter(quiet=form is Format.JSON)
    model = ready_model(ModelRequest(adapter, base), reporter)
    target_request = TargetRequest(target, cores, memory, bindir, image=image)
    request = workload_request(
        workload,
        seed,
        scale=scale,
        clients=clients,
        duration=duration,
        objective=objective,
        data=data,
        database=database,
        data_set=data_set,
        allow_writes=allow_writes,
        query_timeout=query_timeout,
        queries=queries,
        leave_out_failing=leave_out_failing,
        drawn=drawn,
    )
    safety = looking_on(reporter)
    with open_bench(target_request, request, reporter, safety, measured=False) as bench:
        made = ask_model(model, bench, candidates, seed, reporter)
        changes = [knob_changes(configuration, bench.space) for configuration in made]
    _print(changes, form, bench.workload.name)


def _print(changes: list[tuple[KnobChange, ...]], form: Format, workload: str) -> None:
    from dataclasses import asdict

    from llmtune.cli.output import print_json
    from llmtune.report.export import conf, sql

    if form is Format.JSON:
        suggestions = [[asdict(change) for change in one] for one in changes]
        print_json({"workload": workload, "suggestions": suggestions})
    elif form is Format.SQL:
        typer.echo(sql(changes[0]), nl=False)
    else:
        comment = f"Suggested by LLMTune for {workload}; not measured."
        typer.echo(conf(changes[0], comment), nl=False)
