"""`llmtune tune`: find a better configuration on a real server and prove it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmtune.cli import options
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
    from llmtune.cli.bench import Bench, WorkloadRequest
    from llmtune.cli.observe_request import ObserveRequest
    from llmtune.cli.safety import Safety
    from llmtune.cli.targets import TargetRequest
    from llmtune.tuning.result import TuningResult
    from llmtune.tuning.session import Outcome


@grouped
def tune(
    context: typer.Context,
    observing: ObserveOptions,
    server: ServerOptions,
    restart: RestartOptions,
    choice: WorkloadOptionGroup,
    model: ModelOptions,
    risk: RiskOptions,
    searching: SearchOptions,
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
    from llmtune.cli.observe_request import observe_request, without_statements
    from llmtune.cli.observing import open_measured
    from llmtune.cli.planning import dry_run_lines, plan_lines
    from llmtune.cli.progress import Reporter
    from llmtune.cli.proposals import proposals
    from llmtune.cli.safety import Safety
    from llmtune.cli.session_run import run_new
    from llmtune.cli.warm_start import open_warm_start
    from llmtune.tuning.new_record import new_id, new_record
    from llmtune.tuning.prior import prior_proposals
    from llmtune.tuning.record import Request
    from llmtune.tuning.restore_points import RestorePoints
    from llmtune.tuning.result_file import ready_folder
    from llmtune.tuning.store import SessionStore

    if apply:
        _check_apply(server.target, asks=not (yes or dry_run))
    plan, reporter = searching.plan(), Reporter(quiet=json)
    target_request = server.request(restart.request())
    watched = observe_request(observing, target_request, seed, given(context))
    wanted = watched or choice.request(seed, server.target)
    warm = open_warm_start(searching.warm_start, model.request(), reporter)
    sessions = SessionStore(store)
    searching.check_prior(sessions)
    safety = Safety(
        RestorePoints(sessions), new_id(), reporter, yes=yes, risks=risk.risks, read_only=dry_run
    )
    if not dry_run:
        ready_folder(out)
    with open_measured(
        target_request, wanted, reporter, safety,
        load=not dry_run, queries_only=searching.queries_only,
    ) as opened:  # fmt: skip
        if apply:
            _check_lasting(opened)
        origin, bench = _kept(target_request, wanted, opened, None if dry_run else out)
        if not bench.workload.queries:
            warm = open_warm_start(without_statements(warm.source), model.request(), reporter)
            if warm.source != searching.warm_start:
                replaced = f"{searching.warm_start}, which looks at statements"
                reporter.say(escape(f"The warm start is {warm.source} in place of {replaced}."))
        request = Request(
            bench.target.name,
            bench.workload.name,
            searching.optimizer,
            warm.source,
            seed,
            replace(plan, clients=bench.busy),
            {
                **origin,
                **warm.identity,
                "out": str(out.absolute()),
                "risks": asdict(risk.risks),
                "apply": apply,
            },
        )
        benchmark = bench.benchmark()
        made, suggest_s = proposals(warm, bench, seed, reporter)
        prior = searching.known(sessions, benchmark, request)
        first = [*prior_proposals(prior, benchmark), *made]
        record = new_record(benchmark, request, first, suggest_s, safety.run_id, prior)
        if dry_run:
            _show(list(dry_run_lines(bench, record)), as_json=json)
            return
        for line in plan_lines(bench, record.plan):
            reporter.say(escape(line))
        outcome = run_new(bench, benchmark, sessions, record, reporter)
        safety.end_runs(bench.target)
        _finish(bench, safety, outcome, out, as_json=json, apply=apply)


def _kept(
    target: TargetRequest, wanted: ObserveRequest | WorkloadRequest, bench: Bench, out: Path | None
) -> tuple[dict[str, Any], Bench]:
    """How to open target and workload again, and the bench as it will be found then.

    Args:
        out: where queries are kept; without it nothing is written.
    """
    from llmtune.cli.kept_queries import kept_bench, measured_origin
    from llmtune.cli.observe_request import ObserveRequest
    from llmtune.cli.observing import observed_origin
    from llmtune.cli.session_run import origin_of

    if isinstance(wanted, ObserveRequest):
        return observed_origin(target, wanted), bench
    if out is None:
        return origin_of(target, wanted), bench
    request, kept = kept_bench(wanted, out, bench, alone=True)
    return measured_origin(target, request, kept.workload), kept


def _check_apply(target: str, *, asks: bool) -> None:
    """Refuse at once what an hour of trials would find out at its end."""
    from llmtune.cli.safety import somebody_answers
    from llmtune.errors import UsageError
    from llmtune.postgres.live.address import is_address

    if not is_address(target):
        raise UsageError("--apply goes with a server's address; other servers are thrown away")
    if asks and not somebody_answers():
        raise UsageError(
            "--apply asks before it leaves anything changed; where nobody can answer, give --yes"
        )


def _check_lasting(bench: Bench) -> None:
    """Refuse what could be measured in our own session, and not be left in force."""
    from llmtune.errors import UsageError
    from llmtune.postgres.dsn import DsnTarget

    if not isinstance(bench.target, DsnTarget):
        return
    report = bench.target.report
    hiding = (one for one in report.masked if one.database == bench.database)
    found = {
        **{
            one.name: f"{one.statement}; to remove: {one.mend}"
            for one in hiding
            if one.role is None
        },
        **report.lasting_obstacles,
    }
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
