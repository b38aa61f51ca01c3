"""Where the sessions of a comparison come from: a server, a recording, or the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llmtune.benchmark.cheap import CheapTrials
from llmtune.benchmark.recorded import LABEL, RecordedEvaluator
from llmtune.cli.bench import Bench, WorkloadRequest
from llmtune.cli.comparison_sessions import ArmRequest, Sessions
from llmtune.cli.kept_queries import kept_bench, measured_origin
from llmtune.cli.progress import Reporter
from llmtune.cli.proposals import check_without_server
from llmtune.cli.recorded_sessions import RECORDED, recording_origin, run_recorded
from llmtune.cli.recordings import RecordedBench, open_recording
from llmtune.cli.suggesting import ModelRequest
from llmtune.cli.targets import TargetRequest
from llmtune.cli.turns import run_finals, run_in_turns
from llmtune.cli.warm_start import open_warm_start, trained_on
from llmtune.report.comparable import arms_from, interrupted
from llmtune.report.comparison_table import MEASURED, Figures, comparison_figures
from llmtune.tuning.plan import Plan
from llmtune.tuning.result_file import ready_folder
from llmtune.tuning.store import SessionStore
from optimizers.registry import check_name


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


def checked_arms(wanted: Wanted, reporter: Reporter) -> list[ArmRequest]:
    """Every optimizer, once, after every warm start, the cold ones first; nothing is opened.

    Raises:
        UsageError: there is no such optimizer or warm start.
        SessionError: there is no such earlier session.
    """
    if wanted.prior is not None:
        SessionStore(wanted.store).summary(wanted.prior)
    names = list(dict.fromkeys(wanted.optimizers))
    for name in names:
        check_name(name)
    sources = dict.fromkeys(["none", *wanted.warm_starts])
    warm = [open_warm_start(source, wanted.model, reporter) for source in sources]
    # A second cold one would be the first again.
    kept = [one for at, one in enumerate(warm) if at == 0 or not one.cold]
    return [ArmRequest(name, one) for one in kept for name in names]


def _with_prior(wanted: Wanted, kept: Sessions, arms: list[ArmRequest]) -> list[ArmRequest]:
    """The arms, and one more of each optimizer that starts from an earlier session's trials."""
    if wanted.prior is None:
        return arms
    prior = kept.known(SessionStore(wanted.store), wanted.prior, arms[0])
    return [*arms, *(replace(arm, prior=prior) for arm in arms if arm.cold)]


def live(
    bench: Bench,
    requests: tuple[TargetRequest, WorkloadRequest],
    wanted: Wanted,
    arms: list[ArmRequest],
    reporter: Reporter,
) -> Figures:
    """Run the sessions on a server, in turns.

    Args:
        requests: as the user asked, while the bench was opened with what `found_again` gave.
    """
    target, asked = requests
    request, bench = kept_bench(asked, wanted.out, bench)
    measured = bench.workload
    evaluator, origin = bench.benchmark(), measured_origin(target, request, measured)
    plan = Plan(trials=wanted.trials, clients=bench.busy, cheap=wanted.cheap)
    names = (bench.target.name, measured.name)
    kept = Sessions(bench, evaluator, names, wanted.out, origin, plan, reporter)
    notes = trained_on([arm.warm_start for arm in arms], bench.workload.data_set.name)
    arms = _with_prior(wanted, kept, arms)
    run_in_turns(kept, bench, arms, wanted.seeds)
    run_finals(kept, bench, arms, wanted.seeds, wanted.final_runs)
    return comparison_figures(measured.name, kept.arms(arms, wanted.seeds), notes=notes)


def recorded(
    name: str, wanted: Wanted, arms: list[ArmRequest], jobs: int, reporter: Reporter
) -> Figures:
    """Run the sessions on a recorded benchmark."""
    recording = open_recording(name)
    for arm in arms:
        check_without_server(arm.warm_start, recording.space())
    ready_folder(wanted.out)
    reporter.say("Fitting the recorded benchmark's surrogate ...")
    bench = RecordedBench(recording, RecordedEvaluator(recording))
    evaluator = bench.evaluator
    plan = Plan(trials=wanted.trials, clients=bench.busy)
    origin, names = recording_origin(recording), (RECORDED, recording.name)
    kept = Sessions(bench, evaluator, names, wanted.out, origin, plan, reporter)
    arms = _with_prior(wanted, kept, arms)
    run_recorded(kept, evaluator, arms, wanted.seeds, jobs)
    done = kept.arms(arms, wanted.seeds)
    notes = (*evaluator.notes, *trained_on([arm.warm_start for arm in arms], recording.name))
    return comparison_figures(recording.name, done, LABEL, notes)


def stored(sessions: list[str], store: str | None) -> Figures:
    """The figures of sessions that were run before."""
    opened = SessionStore(store)
    ids = [one for text in sessions for one in text.replace(",", " ").split()]
    summaries = map(opened.summary, ids)
    found = list({one.record.id: one for one in summaries}.values())
    arms = arms_from([(one.record, opened.journal(one.record.id)) for one in found])
    record = found[0].record
    basis = LABEL if record.target == RECORDED else MEASURED
    return comparison_figures(record.workload, arms, basis, interrupted(found))
