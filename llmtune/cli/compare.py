"""`llmtune compare`: warm starts and optimizers against each other, over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmtune.cli import options


def compare(
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
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            show_default="tpe", help="Optimizers to compare, `tpe` or `random`; may be repeated."
        ),
    ] = None,
    warm_start: Annotated[
        list[str] | None,
        typer.Option(
            show_default="rules, model",
            help="Warm starts to compare with `none`: `rules`, `model` or a JSON file of knob to "
            "value; may be repeated.",
        ),
    ] = None,
    adapter: options.Adapter = None,
    base: options.Base = None,
    trials: Annotated[int, typer.Option(min=2, help="Search trials of each session.")] = 30,
    seeds: Annotated[
        int, typer.Option(min=1, help="Sessions of each kind, with as many seeds from --seed on.")
    ] = 3,
    seed: options.Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for everything.")] = Path("out/compare"),
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Run cold and warm sessions in turn and draw their speed-up curves.

    Every session is kept in the folder; called again, finished ones are not repeated.
    """
    from llmtune.cli.bench import open_bench
    from llmtune.cli.comparing import Comparison, arms_of
    from llmtune.cli.output import print_json, print_table, print_text
    from llmtune.cli.progress import Reporter
    from llmtune.cli.safety import own_safety
    from llmtune.cli.session_run import kept_request, origin_of
    from llmtune.cli.suggesting import ModelRequest
    from llmtune.cli.targets import TargetRequest
    from llmtune.cli.warm_start import open_warm_start
    from llmtune.cli.workload_options import workload_request
    from llmtune.report.comparison_table import comparison_facts, comparison_table
    from llmtune.tuning.record import Plan
    from llmtune.tuning.result import ready_folder

    reporter = Reporter(quiet=json)
    sources = dict.fromkeys(["none", *(warm_start or ["rules", "model"])])
    model = ModelRequest(adapter, base)
    arms = arms_of(
        optimizer or ["tpe"], [open_warm_start(source, model, reporter) for source in sources]
    )
    ready_folder(out)
    target_request = TargetRequest(target, cores, memory, bindir, image=image)
    workload_wanted = workload_request(
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
    safety = own_safety("compare", reporter, yes=yes)
    with open_bench(target_request, workload_wanted, reporter, safety) as bench:
        origin = origin_of(target_request, kept_request(workload_wanted, bench, out))
        plan = Plan(trials=trials, clients=bench.busy)
        comparison = Comparison(bench, out, origin, plan, reporter)
        comparison.run(arms, range(seed, seed + seeds))
    figures = comparison.write()
    if json:
        print_json(comparison_facts(figures))
        return
    print_table(comparison_table(figures))
    print_text(f"Curves: {out / 'curves.png'}   figures: {out / 'comparison.json'}")
