"""`llmtune compare`: optimizers and warm starts against each other, over seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options
from llmtune.cli.grouped import grouped
from llmtune.cli.option_groups import ModelOptions, ServerOptions, WorkloadOptionGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmtune.benchmark.cheap import CheapTrials
    from llmtune.benchmark.evaluator import Evaluator
    from llmtune.cli.bench import Bench, WorkloadRequest
    from llmtune.cli.comparing import ArmRequest
    from llmtune.cli.progress import Reporter
    from llmtune.cli.suggesting import ModelRequest
    from llmtune.cli.targets import TargetRequest
    from llmtune.report.comparison_table import Figures

COMPARISON = "Comparison"
FINAL_RUNS = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be compared, as the user said it."""

    optimizers: tuple[str, ...]
    warm_starts: tuple[str, ...]
    prior: str | None
    store: str | None
    model: ModelRequest
    trials: int
    seeds: Sequence[int]
    out: Path
    cheap: CheapTrials
    final_runs: int


@grouped
def compare(
    server: ServerOptions,
    choice: WorkloadOptionGroup,
    model: ModelOptions,
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=COMPARISON,
            show_default="tpe",
            help="Optimizers to compare, such as `tpe` or `random`; may be repeated.",
        ),
    ] = None,
    warm_start: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=COMPARISON,
            show_default="rules, model; with --recorded none",
            help="Warm starts to compare with `none`: `model`, `rules`, `constant`, `nearest`, "
            "`surrogate`, a JSON file of configurations, or several with commas between them; "
            "may be repeated.",
        ),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=COMPARISON,
            help="Compare also a start from the observations of this stored session.",
        ),
    ] = None,
    recorded: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=COMPARISON,
            help="Ask a recorded benchmark and no server: `tpch`, or a folder of `llmtune "
            "datagen`. Its values are predicted, not measured.",
        ),
    ] = None,
    sessions: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=COMPARISON,
            help="Run nothing and compare these stored sessions; with commas, or repeated.",
        ),
    ] = None,
    store: options.Store = None,
    trials: Annotated[int, typer.Option(min=2, help="Search trials of each session.")] = 30,
    seeds: Annotated[
        int, typer.Option(min=1, help="Sessions of each kind, with as many seeds from --seed on.")
    ] = 3,
    seed: options.Seed = 0,
    spare: options.Spare = None,
    final_runs: Annotated[
        int | None,
        typer.Option(
            min=0,
            rich_help_panel=COMPARISON,
            show_default=str(FINAL_RUNS),
            help="Runs in full of each session's best configuration at the end, in turns: the "
            "best of many single runs is also the luckiest. 0: none.",
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(min=1, help="Sessions at once, with --recorded; the values are the same."),
    ] = 1,
    out: Annotated[Path, typer.Option(help="Folder for everything.")] = Path("out/compare"),
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Compare cold and warm sessions, and draw their speed-up curves.

    On a server the sessions take turns, a trial each, so that drift hits all alike; then
    what each found best is measured again in full, in turns too.
    Every session is kept in the folder; called again, finished ones are not repeated.
    """
    from llmtune.benchmark.cheap import parse_savings
    from llmtune.cli.bench import open_bench
    from llmtune.cli.comparison_files import finish_comparison
    from llmtune.cli.progress import Reporter
    from llmtune.cli.safety import own_safety
    from llmtune.errors import UsageError
    from llmtune.tuning.result_file import ready_folder

    reporter = Reporter(quiet=json)
    if sessions:
        if recorded or prior:
            raise UsageError("--sessions runs nothing: leave out --recorded and --prior")
        finish_comparison(ready_folder(out), _stored(sessions, store), as_json=json)
        return
    for option, given in (("--spare", spare), ("--final-runs", final_runs)):
        if recorded and given is not None:
            raise UsageError(f"{option} goes with a server: a recorded benchmark runs nothing")
    wanted = Wanted(
        optimizers=tuple(optimizer or ["tpe"]),
        warm_starts=tuple(warm_start or ([] if recorded else ["rules", "model"])),
        prior=prior,
        store=store,
        model=model.request(),
        trials=trials,
        seeds=range(seed, seed + seeds),
        out=out,
        cheap=parse_savings(spare or "all"),
        final_runs=FINAL_RUNS if final_runs is None else final_runs,
    )
    arms = _arms(wanted, reporter)
    if recorded:
        figures = _recorded(recorded, wanted, arms, jobs, reporter)
        finish_comparison(out, figures, as_json=json)
        return
    ready_folder(out)
    requests = server.request(), choice.request(seed)
    safety = own_safety("compare", reporter, yes=yes)
    with open_bench(*requests, reporter, safety) as bench:
        figures = _live(bench, requests, wanted, arms, reporter)
    finish_comparison(out, figures, as_json=json)


def _arms(wanted: Wanted, reporter: Reporter) -> list[ArmRequest]:
    """The arms, checked before anything is opened; cold ones first."""
    from llmtune.cli.comparing import arms_of
    from llmtune.cli.warm_start import open_warm_start
    from optimizers.registry import check_name

    for name in wanted.optimizers:
        check_name(name)
    sources = dict.fromkeys(["none", *wanted.warm_starts])
    warm = [open_warm_start(source, wanted.model, reporter) for source in sources]
    # A second cold one would be the first again.
    kept = [one for at, one in enumerate(warm) if at == 0 or not one.cold]
    return arms_of(wanted.optimizers, kept)


def _with_prior(
    wanted: Wanted, arms: list[ArmRequest], evaluator: Evaluator, workload: str
) -> list[ArmRequest]:
    """The arms, and one more of each optimizer that starts from an earlier session's trials."""
    from dataclasses import replace

    from llmtune.tuning.prior import prior_of
    from llmtune.tuning.store import SessionStore

    if wanted.prior is None:
        return arms
    prior = prior_of(SessionStore(wanted.store), wanted.prior, evaluator, workload)
    return [*arms, *(replace(arm, prior=prior) for arm in arms if arm.cold)]


def _live(
    bench: Bench,
    requests: tuple[TargetRequest, WorkloadRequest],
    wanted: Wanted,
    arms: list[ArmRequest],
    reporter: Reporter,
) -> Figures:
    """Run the sessions on a server, in turns."""
    from llmtune.cli.comparing import Sessions
    from llmtune.cli.session_run import kept_request, origin_of
    from llmtune.cli.turns import run_finals, run_in_turns
    from llmtune.report.comparison_table import comparison_figures
    from llmtune.tuning.record import Plan

    evaluator, name = bench.benchmark(), bench.workload.name
    arms = _with_prior(wanted, arms, evaluator, name)
    target, workload = requests
    origin = origin_of(target, kept_request(workload, bench, wanted.out))
    plan = Plan(trials=wanted.trials, clients=bench.busy, cheap=wanted.cheap)
    names = (bench.target.name, name)
    kept = Sessions(bench, evaluator, names, wanted.out, origin, plan, reporter)
    run_in_turns(kept, bench, arms, wanted.seeds)
    run_finals(kept, bench, arms, wanted.seeds, wanted.final_runs)
    return comparison_figures(name, kept.arms(arms, wanted.seeds))


def _recorded(
    name: str, wanted: Wanted, arms: list[ArmRequest], jobs: int, reporter: Reporter
) -> Figures:
    """Run the sessions on a recorded benchmark."""
    from llmtune.benchmark.recorded import LABEL, RecordedEvaluator
    from llmtune.cli.comparing import Sessions
    from llmtune.cli.recorded_sessions import RECORDED, recording_origin, run_recorded
    from llmtune.cli.recordings import RecordedBench, open_recording
    from llmtune.cli.warm_start import check_without_server, trained_on
    from llmtune.report.comparison_table import comparison_figures
    from llmtune.tuning.record import Plan
    from llmtune.tuning.result_file import ready_folder

    recording = open_recording(name)
    for arm in arms:
        check_without_server(arm.warm_start, recording.space())
    ready_folder(wanted.out)
    reporter.say("Fitting the recorded benchmark's surrogate ...")
    bench = RecordedBench(recording, RecordedEvaluator(recording))
    evaluator = bench.evaluator
    arms = _with_prior(wanted, arms, evaluator, recording.name)
    plan = Plan(trials=wanted.trials, clients=bench.busy)
    origin, names = recording_origin(recording), (RECORDED, recording.name)
    kept = Sessions(bench, evaluator, names, wanted.out, origin, plan, reporter)
    run_recorded(kept, evaluator, arms, wanted.seeds, jobs)
    done = kept.arms(arms, wanted.seeds)
    notes = (*evaluator.notes, *trained_on([arm.warm_start for arm in arms], recording.name))
    return comparison_figures(recording.name, done, LABEL, notes)


def _stored(sessions: list[str], store: str | None) -> Figures:
    """The figures of sessions that were run before."""
    from llmtune.benchmark.recorded import LABEL
    from llmtune.cli.recorded_sessions import RECORDED
    from llmtune.report.comparable import arms_from, interrupted
    from llmtune.report.comparison_table import MEASURED, comparison_figures
    from llmtune.tuning.store import SessionStore

    opened = SessionStore(store)
    ids = [one for text in sessions for one in text.replace(",", " ").split()]
    found = [opened.summary(one) for one in dict.fromkeys(ids)]
    arms = arms_from([(one.record, opened.journal(one.record.id)) for one in found])
    record = found[0].record
    basis = LABEL if record.target == RECORDED else MEASURED
    return comparison_figures(record.workload, arms, basis, interrupted(found))
