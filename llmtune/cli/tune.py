"""`llmtune tune`: find a better configuration on a real server and prove it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options

if TYPE_CHECKING:
    from llmtune.cli.bench import Bench
    from llmtune.cli.progress import Reporter
    from llmtune.tuning.record import Plan, Request, SessionRecord

DEFAULT_TRIALS = 30


def tune(
    target: options.Target = "embedded",
    workload: options.Workload = "tpch",
    scale: options.Scale = 0.1,
    cores: options.Cores = None,
    memory: options.Memory = None,
    bindir: options.Bindir = None,
    optimizer: Annotated[str, typer.Option(help="What proposes after the warm start.")] = "tpe",
    warm_start: Annotated[
        str,
        typer.Option(
            help="What is tried first: `model` (with the rules), `rules`, `default`, `none` or "
            "a JSON file of knob to value."
        ),
    ] = "model",
    adapter: options.Adapter = None,
    trials: Annotated[
        int | None, typer.Option(help="Search trials; default: 30, or as many as the time allows.")
    ] = None,
    time_budget: Annotated[
        str | None, typer.Option(help="Wall time for everything, such as `30m`.")
    ] = None,
    seed: options.Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for the result and the report.")] = Path("out"),
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Tune a server for a workload, and prove the answer by interleaved runs.

    The server's original settings are back when the command ends, however it ends.
    """
    from llmtune.cli.bench import TargetRequest, WorkloadRequest, open_bench
    from llmtune.cli.outcome import show_result
    from llmtune.cli.progress import Reporter
    from llmtune.cli.session_run import origin_of, run_new, write_files
    from llmtune.tuning.record import Request
    from llmtune.tuning.result import ready_folder
    from llmtune.tuning.store import SessionStore
    from optimizers.registry import check_name

    check_name(optimizer)
    plan = _plan(trials, time_budget)
    target_request = TargetRequest(target, cores, memory, bindir)
    workload_request = WorkloadRequest(workload, scale, seed)
    ready_folder(out)
    sessions, reporter = SessionStore(store), Reporter(quiet=json)
    with open_bench(target_request, workload_request, reporter) as bench:
        request = Request(
            bench.target.name,
            bench.workload.name,
            optimizer,
            warm_start,
            seed,
            plan,
            origin_of(target_request, workload_request),
        )
        record = _record(bench, request, adapter, reporter)
        outcome, result = run_new(bench, sessions, record, reporter)
    write_files(out, outcome, result)
    show_result(result, out, as_json=json)


def _plan(trials: int | None, time_budget: str | None) -> Plan:
    from llmtune.tuning.record import Plan
    from llmtune.units import parse_duration

    if time_budget is None:
        return Plan(trials=DEFAULT_TRIALS if trials is None else trials)
    return Plan(trials=trials, seconds=parse_duration(time_budget))


def _record(
    bench: Bench, request: Request, adapter: Path | None, reporter: Reporter
) -> SessionRecord:
    from llmtune.cli.proposals import proposals
    from llmtune.tuning.session import new_record

    made, suggest_s = proposals(request.warm_start, bench, adapter, request.seed, reporter)
    return new_record(bench.benchmark(), request, made, suggest_s)
