"""`llmtune tune`: find a better configuration on a real server and prove it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options
from llmtune.cli.grouped import grouped
from llmtune.cli.observe_options import ObserveOptions

if TYPE_CHECKING:
    from llmtune.cli.bench import Bench
    from llmtune.cli.safety import Safety
    from llmtune.tuning.record import Plan
    from llmtune.tuning.result import TuningResult
    from llmtune.tuning.session import Outcome

DEFAULT_TRIALS = 30


@grouped
def tune(
    context: typer.Context,
    observing: ObserveOptions,
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
    allow_restart: options.AllowRestart = False,
    restart_command: options.RestartCommand = None,
    restart_container: options.RestartContainer = None,
    restart_unit: options.RestartUnit = None,
    restart_pgdata: options.RestartPgdata = None,
    optimizer: Annotated[
        str,
        typer.Option(
            help="What proposes after the warm start: `tpe`, `plan`, `forest`, `gp`, `cmaes`, "
            "`hebo`, `smac`, `turbo`, `ddpg`, `sobol`, `random`, or `llamatune+` before one of "
            "them."
        ),
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
    cheap: options.Cheap = False,
    keep_knobs: options.KeepKnobs = None,
    after: options.After = None,
    seed: options.Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for the result and the report.")] = Path("out"),
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show every statement that would run, and only read."),
    ] = False,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply",
            help="Leave the best configuration in force on a live server, if it is proved better.",
        ),
    ] = False,
    allow_durability_risk: options.AllowDurabilityRisk = False,
    allow_standby: options.AllowStandby = False,
    yes: options.Yes = False,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Tune a server for a workload, and prove the answer by interleaved runs.

    With --observe nothing is run: a live server's own traffic is measured. The
    server's original settings are back when the command ends, however it ends; if it
    is killed, `llmtune restore` puts them back.
    """
    from rich.markup import escape

    from llmtune.cli.observe_request import observe_request, without_statements
    from llmtune.cli.observing import observed_origin, open_measured
    from llmtune.cli.planning import dry_run_lines, plan_lines
    from llmtune.cli.progress import Reporter
    from llmtune.cli.safety import Safety
    from llmtune.cli.session_run import kept_request, origin_of, run_new
    from llmtune.cli.suggesting import ModelRequest
    from llmtune.cli.targets import RestartRequest, TargetRequest
    from llmtune.cli.warm_start import open_warm_start, proposals
    from llmtune.cli.workload_options import workload_request
    from llmtune.tuning.record import Request
    from llmtune.tuning.restore_points import RestorePoints
    from llmtune.tuning.result import ready_folder
    from llmtune.tuning.server_facts import Risks
    from llmtune.tuning.session import new_id, new_record
    from llmtune.tuning.store import SessionStore
    from optimizers.registry import check_name

    check_name(optimizer)
    plan, reporter = (
        _narrowed(_plan(trials, time_budget, cheap=cheap), keep_knobs, after),
        Reporter(quiet=json),
    )
    restart = RestartRequest(
        allow_restart, restart_command, restart_container, restart_unit, restart_pgdata
    )
    target_request = TargetRequest(target, cores, memory, bindir, restart, image)
    watched = observe_request(observing, target_request, seed, _given(context))
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
    warm = open_warm_start(warm_start, ModelRequest(adapter, base), reporter)
    sessions, risks = SessionStore(store), Risks(allow_durability_risk, allow_standby)
    safety = Safety(
        RestorePoints(sessions), new_id(), reporter, yes=yes, risks=risks, read_only=dry_run
    )
    _check_apply(target, apply=apply)
    if not dry_run:
        ready_folder(out)
    asked = (target_request, watched or workload_wanted)
    with open_measured(*asked, reporter, safety, load=not dry_run) as bench:
        if watched:
            origin = observed_origin(target_request, watched)
        else:
            kept = workload_wanted if dry_run else kept_request(workload_wanted, bench, out)
            origin = origin_of(target_request, kept)
        if not bench.workload.queries:
            source = without_statements(warm_start)
            warm = open_warm_start(source, ModelRequest(adapter, base), reporter)
        request = Request(
            bench.target.name,
            bench.workload.name,
            optimizer,
            warm_start,
            seed,
            replace(plan, clients=bench.busy),
            {**origin, "out": str(out.absolute()), "risks": asdict(risks)},
        )
        benchmark = bench.benchmark()
        made = proposals(warm, bench, seed, reporter)
        record = new_record(benchmark, request, *made, safety.run_id)
        if dry_run:
            _show(list(dry_run_lines(bench, record)), as_json=json)
            return
        for line in plan_lines(bench, record.plan):
            reporter.say(escape(line))
        outcome = run_new(bench, benchmark, sessions, record, reporter)
        _finish(bench, safety, outcome, out, as_json=json, apply=apply)


def _check_apply(target: str, *, apply: bool) -> None:
    from llmtune.errors import UsageError
    from llmtune.postgres.live.address import is_address

    if apply and not is_address(target):
        raise UsageError("--apply goes with a server's address; an embedded one is thrown away")


def _given(context: typer.Context) -> set[str]:
    """The names of the options that are on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, one in sources.items() if one is not None and one.name == "COMMANDLINE"}


def _show(lines: list[str], *, as_json: bool) -> None:
    from llmtune.cli.output import print_json, print_text

    if as_json:
        print_json({"statements": lines})
    else:
        print_text("\n".join(lines))


def _finish(
    bench: Bench, safety: Safety, outcome: Outcome, out: Path, *, as_json: bool, apply: bool
) -> None:
    """Write the result, show it, and leave it in force if that is wanted."""
    from llmtune.cli.outcome import show_result
    from llmtune.cli.session_run import finish

    result = finish(out, outcome, bench)
    show_result(result, out, as_json=as_json)
    if apply:
        _apply(bench, safety, result)


def _apply(bench: Bench, safety: Safety, result: TuningResult) -> None:
    """Leave the answer in force on a live server, if it is one and the user wants it."""
    from llmtune.cli.safety import confirmed
    from llmtune.postgres.dsn import DsnTarget

    say = safety.reporter.say
    if not result.improvement.improved:
        say("Nothing is applied: no configuration is proved better than the present settings.")
    elif not (safety.yes or confirmed(f"Leave {len(result.knobs)} settings changed?")):
        say("Nothing is applied.")
    elif isinstance(bench.target, DsnTarget):
        best = bench.space.configuration(result.best.configuration)
        safety.apply_for_good(bench.target, bench.space, best)
        say(f"Applied for good; take it back with: llmtune restore {safety.run_id}")


def _plan(trials: int | None, time_budget: str | None, *, cheap: bool) -> Plan:
    from llmtune.benchmark.cheap import ALL_SAVINGS, FULL_TRIALS
    from llmtune.tuning.record import Plan
    from llmtune.units import parse_duration

    savings = ALL_SAVINGS if cheap else FULL_TRIALS
    if time_budget is None:
        return Plan(trials=DEFAULT_TRIALS if trials is None else trials, cheap=savings)
    return Plan(trials=trials, seconds=parse_duration(time_budget), cheap=savings)


def _narrowed(plan: Plan, keep_knobs: int | None, after: int | None) -> Plan:
    from llmtune.errors import UsageError
    from optimizers.narrowed import NARROW_AFTER

    if keep_knobs is None:
        if after is not None:
            raise UsageError("--after says when to keep few knobs; say how many: --keep-knobs K")
        return plan
    return replace(
        plan, keep_knobs=keep_knobs, narrow_after=NARROW_AFTER if after is None else after
    )
