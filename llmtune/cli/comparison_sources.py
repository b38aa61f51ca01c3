"""Where the sessions of a comparison come from: a server, a recording, or the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llmtune.benchmark.cheap import CheapTrials
from llmtune.benchmark.recorded import LABEL, RecordedEvaluator
from llmtune.cli.bench import Bench
from llmtune.cli.comparison_sessions import ArmRequest, Sessions
from llmtune.cli.kept_queries import kept_bench
from llmtune.cli.progress import Reporter
from llmtune.cli.recorded_sessions import RECORDED, recording_origin, run_recorded
from llmtune.cli.recordings import RecordedBench, open_recording
from llmtune.cli.storage_notice import warn_of_storage
from llmtune.cli.turns import run_finals, run_in_turns
from llmtune.errors import UsageError
from llmtune.model.proposals import check_without_server
from llmtune.model.ready import ModelRequest
from llmtune.model.warm_start import open_warm_starts, trained_on
from llmtune.report.comparable import arms_from, interrupted, other_versions
from llmtune.report.comparison_table import MEASURED, Figures, comparison_figures
from llmtune.tuning.origin import measured_origin
from llmtune.tuning.plan import Plan
from llmtune.tuning.prior import earlier_sessions
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from llmtune.tuning.result_file import ready_folder
from llmtune.tuning.store import SessionStore
from optimizers.narrowed import Narrowing
from optimizers.registry import check_name, check_narrowing, looks_at_plans


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be compared, as the user said it.

    Attributes:
        narrowing: of one more cold search of each optimizer.
    """

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
    narrowing: Narrowing | None = None


def checked_arms(wanted: Wanted, reporter: Reporter) -> list[ArmRequest]:
    """Every optimizer, once, after every warm start, the cold ones first; nothing is opened.

    Raises:
        UsageError: there is no such optimizer or warm start, none that uses the adapter, or an
            optimizer cannot go on with few knobs.
        SessionError: there is no such earlier session.
    """
    if wanted.prior is not None:
        earlier_sessions(SessionStore(wanted.store), wanted.prior)
    names = list(dict.fromkeys(wanted.optimizers))
    for name in names:
        check_name(name)
        if wanted.narrowing is not None:
            check_narrowing(name)
    sources = dict.fromkeys(["none", *wanted.warm_starts])
    warm = open_warm_starts(sources, wanted.model, reporter.say)
    # A second cold one would be the first again.
    kept = [one for at, one in enumerate(warm) if at == 0 or not one.cold]
    arms = [ArmRequest(name, one) for one in kept for name in names]
    if wanted.narrowing is None:
        return arms
    few = (replace(arm, narrowing=wanted.narrowing) for arm in arms if arm.cold)
    return [*arms, *few]


def _with_prior(wanted: Wanted, kept: Sessions, arms: list[ArmRequest]) -> list[ArmRequest]:
    """The arms, and one more of each optimizer that starts from earlier sessions' trials."""
    if wanted.prior is None:
        return arms
    prior = kept.known(SessionStore(wanted.store), wanted.prior, arms[0])
    return [*arms, *(replace(arm, prior=prior) for arm in arms if arm.cold)]


def _noted(
    arms: Sequence[ArmRequest], data_set: str, notes: Sequence[str] = ()
) -> list[ArmRequest]:
    """The arms with what their sessions keep for whoever compares them again, beside `notes`."""
    return [replace(arm, notes=(*notes, *trained_on([arm.warm_start], data_set))) for arm in arms]


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
    # What is in force when a session's turn comes is another's, so it has its restart anyway.
    cheap = replace(wanted.cheap, save_restarts=False)
    plan = Plan(trials=wanted.trials, clients=bench.busy, cheap=cheap)
    names = (bench.target.name, measured.name)
    warn_of_storage([arm.warm_start for arm in arms], bench, reporter)
    kept = Sessions(bench, evaluator, names, wanted.out, origin, plan, reporter)
    notes = trained_on([arm.warm_start for arm in arms], bench.workload.data_set.name)
    arms = _with_prior(wanted, kept, _noted(arms, bench.workload.data_set.name))
    run_in_turns(kept, bench, arms, wanted.seeds)
    run_finals(kept, bench, arms, wanted.seeds, wanted.final_runs)
    notes = (*notes, *other_versions(kept.records(arms, wanted.seeds)))
    return comparison_figures(measured.name, kept.arms(arms, wanted.seeds), notes=notes)


def recorded(
    name: str, wanted: Wanted, arms: list[ArmRequest], jobs: int, reporter: Reporter
) -> Figures:
    """Run the sessions on a recorded benchmark.

    Raises:
        UsageError: an optimizer or a warm start asks a server.
    """
    planning = next(filter(looks_at_plans, wanted.optimizers), None)
    if planning is not None:
        raise UsageError(
            f"optimizer {planning} asks a server for plans, and a recorded benchmark has none; "
            "choose another, such as tpe"
        )
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
    arms = _with_prior(wanted, kept, _noted(arms, recording.name, evaluator.notes))
    run_recorded(kept, evaluator, arms, wanted.seeds, jobs)
    done = kept.arms(arms, wanted.seeds)
    learnt = trained_on([arm.warm_start for arm in arms], recording.name)
    versions = other_versions(kept.records(arms, wanted.seeds))
    notes = (*evaluator.notes, *learnt, *versions)
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
    kept = dict.fromkeys(note for one in found for note in one.record.origin.notes)
    notes = (*kept, *other_versions(one.record for one in found), *interrupted(found))
    return comparison_figures(record.workload, arms, basis, notes)
