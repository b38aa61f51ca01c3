"""`llmtune tune`: find a better configuration on a real server and prove it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options, server_options
from llmtune.cli.grouped import grouped
from llmtune.cli.observe_options import ObserveOptions
from llmtune.cli.option_groups import (
    ModelOptions,
    RestartOptions,
    RiskOptions,
    ServerOptions,
    WorkloadOptionGroup,
)
from llmtune.cli.search_options import SearchOptions

if TYPE_CHECKING:
    from llmtune.benchmark.evaluator import Evaluator
    from llmtune.cli.bench import Bench
    from llmtune.cli.progress import Reporter
    from llmtune.cli.safety import Safety
    from llmtune.cli.tune_request import TuneRequest
    from llmtune.model.warm_start import WarmStart
    from llmtune.tuning.origin import Origin
    from llmtune.tuning.record import SessionRecord
    from llmtune.tuning.result import TuningResult
    from llmtune.tuning.session import Outcome
    from llmtune.tuning.store import SessionStore


@grouped
def tune(
    context: typer.Context,
    observing: ObserveOptions,
    server: ServerOptions,
    restart: RestartOptions,
    workload: WorkloadOptionGroup,
    model: ModelOptions,
    risk: RiskOptions,
    searching: SearchOptions,
    storage: server_options.Storage = None,
    seed: options.Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for the result and the report.")] = Path("out"),
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Only read the server. Show the workload's statements, and the SQL that would "
            "apply the first configurations; later ones depend on what is measured.",
        ),
    ] = False,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply",
            help="Leave the best configuration in force on a live server, if it is proved better. "
            "Needs ALTER SYSTEM on every knob, which managed services do not grant.",
        ),
    ] = False,
    yes: options.Yes = False,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Tune a server for a workload, and prove the answer by interleaved runs.

    With --observe nothing is run: a live server's own traffic is measured. The server's
    original settings are put back when the command ends, also after Ctrl-C or an error. If
    it is killed, `llmtune restore` puts them back.
    """
    from rich.markup import escape

    from llmtune.cli.given import given
    from llmtune.cli.observe_request import observe_request
    from llmtune.cli.observing import open_measured
    from llmtune.cli.planning import dry_run_lines, plan_lines
    from llmtune.cli.progress import Reporter
    from llmtune.cli.safety import Safety
    from llmtune.cli.session_run import run_new
    from llmtune.cli.tune_request import TuneRequest, check_apply
    from llmtune.model.warm_start import open_warm_starts
    from llmtune.tuning.new_record import new_id
    from llmtune.tuning.restore_points import RestorePoints
    from llmtune.tuning.result_file import ready_folder
    from llmtune.tuning.store import SessionStore

    if apply:
        check_apply(server.target, asks=not (yes or dry_run))
    plan, reporter = searching.plan(), Reporter(quiet=json)
    target = server.request(restart.request(), storage)
    watched = observe_request(observing, target, seed, given(context))
    measured = watched or workload.request(seed, server.target)
    (warm_start,) = open_warm_starts([searching.warm_start], model.request(), reporter.say)
    asked = TuneRequest(
        target=target,
        measured=measured,
        warm_start=warm_start,
        search=searching,
        plan=plan,
        risks=risk.risks,
        seed=seed,
        out=out,
        apply=apply,
        dry_run=dry_run,
    )
    sessions = SessionStore(store)
    searching.check_prior(sessions)
    safety = Safety(
        RestorePoints(sessions), new_id(), reporter, yes=yes, risks=asked.risks, read_only=dry_run
    )
    if not dry_run:
        ready_folder(out)
    with open_measured(
        target, asked.measured, reporter, safety,
        load=not dry_run, queries_only=searching.queries_only,
    ) as opened:  # fmt: skip
        if apply:
            _check_lasting(opened)
        origin, bench = _kept(asked, opened)
        benchmark = bench.benchmark()
        record = _record(asked, origin, bench, benchmark, sessions, safety)
        if dry_run:
            _show(list(dry_run_lines(bench, record)), as_json=json)
            return
        for line in plan_lines(bench, record.plan):
            reporter.say(escape(line))
        outcome = run_new(bench, benchmark, sessions, record, reporter)
        safety.end_runs(bench.target)
        _finish(bench, safety, outcome, out, as_json=json, apply=apply)


def _kept(asked: TuneRequest, bench: Bench) -> tuple[Origin, Bench]:
    """How to open target and workload again, and the bench as it will be found then.

    A dry run writes no file for that.
    """
    from llmtune.cli.kept_queries import kept_bench
    from llmtune.cli.observe_request import ObserveRequest
    from llmtune.cli.observing import observed_origin
    from llmtune.tuning.origin import measured_origin, origin_of

    if isinstance(asked.measured, ObserveRequest):
        return observed_origin(asked.target, asked.measured), bench
    if asked.dry_run:
        return origin_of(asked.target, asked.measured), bench
    request, kept = kept_bench(asked.measured, asked.out, bench, alone=True)
    return measured_origin(asked.target, request, kept.workload), kept


def _record(
    asked: TuneRequest,
    origin: Origin,
    bench: Bench,
    benchmark: Evaluator,
    sessions: SessionStore,
    safety: Safety,
) -> SessionRecord:
    """The record of the session that is asked for, its first configurations proposed now."""
    from llmtune.cli.storage_notice import warn_of_storage
    from llmtune.model.proposals import proposals
    from llmtune.tuning.new_record import new_record
    from llmtune.tuning.prior import prior_proposals
    from llmtune.tuning.record import Request

    warm_start = _possible(asked.warm_start, bench, safety.reporter)
    request = Request(
        bench.target.name,
        bench.workload.name,
        asked.search.optimizer,
        warm_start.source,
        asked.seed,
        replace(asked.plan, clients=bench.busy),
        replace(
            origin,
            starts=warm_start.identity,
            out=asked.out.absolute(),
            risks=asked.risks,
            apply=asked.apply,
        ),
    )
    warn_of_storage([warm_start], bench, safety.reporter)
    proposed, suggest_s = proposals(warm_start, bench, asked.seed, safety.reporter.say)
    prior = asked.search.known(sessions, benchmark, request)
    first = (*prior_proposals(prior, benchmark), *proposed)
    return new_record(benchmark, request, first, suggest_s, safety.run_id, prior)


def _possible(warm_start: WarmStart, bench: Bench, reporter: Reporter) -> WarmStart:
    """The warm start itself; what stands in its place is said, where there are no statements."""
    from rich.markup import escape

    possible = warm_start if bench.workload.queries else warm_start.without_statements()
    if possible.source != warm_start.source:
        replaced = f"{warm_start.source}, which looks at statements"
        reporter.say(escape(f"The warm start is {possible.source} in place of {replaced}."))
    return possible


def _check_lasting(bench: Bench) -> None:
    """Refuse what could be measured in our own session, and not be left in force."""
    from llmtune.errors import UsageError
    from llmtune.postgres.dsn import DsnTarget

    if not isinstance(bench.target, DsnTarget):
        return
    found = bench.target.report.lasting_obstacles(bench.database)
    names = [name for name in bench.space.names if name in found]
    if names:
        raise UsageError(
            f"--apply cannot change these for all sessions: {', '.join(names)}. In the way of the "
            f"first: {found[names[0]]}. Without --apply they are tuned in LLMTune's own sessions, "
            "and best.conf has the answer"
        )


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

    result = finish(out, outcome, bench, safety.points.store_name)
    show_result(result, out, as_json=as_json)
    if apply:
        _apply(bench, safety, result)


def _apply(bench: Bench, safety: Safety, result: TuningResult) -> None:
    """Leave the answer in force on a live server, if it is one and the user wants it."""
    from rich.markup import escape

    from llmtune.cli.bench import refused_now
    from llmtune.cli.safety import confirmed
    from llmtune.postgres.dsn import DsnTarget

    say = safety.reporter.insist
    best = bench.space.configuration(result.best.configuration)
    if not result.improvement.improved:
        say("Nothing is applied: no configuration is proved better than the present settings.")
    elif refused := refused_now(bench, best, safety.risks):
        say(f"Nothing is applied: by now the best configuration {refused}.")
    elif not (safety.yes or confirmed(f"Leave {len(result.knobs)} settings changed?")):
        say("Nothing is applied.")
    elif isinstance(bench.target, DsnTarget):
        safety.apply_for_good(bench.target, bench.space, best)
        say(escape(f"Applied for good; take it back with: {safety.take_back}"))
