"""`llmtune tune`: find a better configuration on a real server and prove it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options

if TYPE_CHECKING:
    from llmtune.tuning.record import Plan

DEFAULT_TRIALS = 30


def tune(
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
    leave_out_failing: options.LeaveOutFailing = False,
    drawn: options.Drawn = False,
    cores: options.Cores = None,
    memory: options.Memory = None,
    bindir: options.Bindir = None,
    image: options.Image = None,
    allow_restart: options.AllowRestart = False,
    restart_command: options.RestartCommand = None,
    restart_container: options.RestartContainer = None,
    restart_unit: options.RestartUnit = None,
    restart_pgdata: options.RestartPgdata = None,
    optimizer: Annotated[
        str, typer.Option(help="What proposes after the warm start: `tpe` or `random`.")
    ] = "tpe",
    warm_start: Annotated[
        str,
        typer.Option(
            help="What is tried after the default: `model` (with the rules), `rules`, nothing "
            "more (`default`, `none`), or a JSON file of knob to value."
        ),
    ] = "model",
    adapter: options.Adapter = None,
    base: options.Base = None,
    trials: Annotated[
        int | None,
        typer.Option(
            show_default="30, or as many as the time budget allows",
            help="Search trials, the default's included. The final runs come on top.",
        ),
    ] = None,
    time_budget: options.TimeBudget = None,
    seed: options.Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for the result and the report.")] = Path("out"),
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Tune a server for a workload, and prove the answer by interleaved runs.

    The server's original settings are back when the command ends, however it ends.
    """
    from llmtune.cli.bench import open_bench
    from llmtune.cli.outcome import show_result
    from llmtune.cli.progress import Reporter
    from llmtune.cli.session_run import finish, origin_of, run_new
    from llmtune.cli.suggesting import ModelRequest
    from llmtune.cli.targets import RestartRequest, TargetRequest
    from llmtune.cli.warm_start import open_warm_start, proposals
    from llmtune.cli.workload_options import workload_request
    from llmtune.tuning.record import Request
    from llmtune.tuning.result import ready_folder
    from llmtune.tuning.session import new_record
    from llmtune.tuning.store import SessionStore
    from optimizers.registry import check_name

    check_name(optimizer)
    plan, reporter = _plan(trials, time_budget), Reporter(quiet=json)
    restart = RestartRequest(
        allow_restart, restart_command, restart_container, restart_unit, restart_pgdata
    )
    target_request = TargetRequest(target, cores, memory, bindir, restart, image)
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
        leave_out_failing=leave_out_failing,
        drawn=drawn,
    )
    warm = open_warm_start(warm_start, ModelRequest(adapter, base), reporter)
    ready_folder(out)
    sessions = SessionStore(store)
    with open_bench(target_request, workload_wanted, reporter) as bench:
        request = Request(
            bench.target.name,
            bench.workload.name,
            optimizer,
            warm_start,
            seed,
            replace(plan, clients=bench.workload.clients),
            {**origin_of(target_request, workload_wanted), "out": str(out.absolute())},
        )
        benchmark = bench.benchmark()
        record = new_record(benchmark, request, *proposals(warm, bench, seed, reporter))
        outcome = run_new(bench, benchmark, sessions, record, reporter)
        result = finish(out, outcome, bench)
    show_result(result, out, as_json=json)


def _plan(trials: int | None, time_budget: str | None) -> Plan:
    from llmtune.tuning.record import Plan
    from llmtune.units import parse_duration

    if time_budget is None:
        return Plan(trials=DEFAULT_TRIALS if trials is None else trials)
    return Plan(trials=trials, seconds=parse_duration(time_budget))
