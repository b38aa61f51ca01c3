"""From a finished session's outcome to its result."""

from __future__ import annotations

from collections.abc import Sequence

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.knob import Effect
from llmtune.knobs.space import KnobSpace
from llmtune.tuning.confirm import Confirmation
from llmtune.tuning.record import JournalEntry, SessionRecord
from llmtune.tuning.result import (
    BestFacts,
    DefaultFacts,
    HardwareFacts,
    Improvement,
    KnobChange,
    KnobWeight,
    ObjectiveFacts,
    Overhead,
    TrialFacts,
    TuningResult,
)
from llmtune.tuning.session import Outcome
from llmtune.tuning.store import SessionStore
from llmtune.tuning.stored import stored_outcome, stored_space
from optimizers.importance import importance
from workloads.objective import Objective


def assemble(outcome: Outcome, space: KnobSpace) -> TuningResult:
    """The result of one finished session over `space`."""
    record, confirmation = outcome.record, outcome.confirmation
    overhead = _overhead(outcome.entries, record.suggest_s)
    return TuningResult(
        session=record.id,
        target=record.target,
        workload=record.workload,
        server_version=record.server_version,
        hardware=HardwareFacts(record.hardware.cores, record.hardware.memory),
        optimizer=record.optimizer,
        warm_start=record.warm_start,
        seed=record.seed,
        objective=ObjectiveFacts(
            record.objective.name, record.objective.unit, record.objective.direction.value
        ),
        default=DefaultFacts(confirmation.default.value, confirmation.default.ci95),
        best=_best(confirmation, space),
        improvement=Improvement(
            confirmation.ratio,
            confirmation.ci95,
            confirmation.significant,
            confirmation.improved,
        ),
        knobs=knob_changes(confirmation.winner.configuration, space),
        dropped=outcome.pruning.dropped if outcome.pruning else (),
        trials=tuple(map(trial_facts, outcome.entries)),
        wall_s=_wall_s(outcome.entries, record.suggest_s),
        measured_s=sum(entry.trial.measured_s for entry in outcome.entries),
        suggest_s=record.suggest_s,
        overhead=overhead,
        catalogue_hash=record.catalogue_hash,
        code_version=record.code_version,
        baseline=space.baseline_name,
        importance=knob_weights(outcome.entries, space, record.objective),
    )


def stored_result(store: SessionStore, session_id: str) -> TuningResult:
    """The result of a finished session from the store alone.

    Raises:
        SessionError: as `stored_outcome`.
    """
    return assemble(*stored_outcome(store, session_id))


def knob_weights(
    entries: Sequence[JournalEntry], space: KnobSpace, objective: Objective
) -> tuple[KnobWeight, ...]:
    """What all the trials of a session say about its knobs; empty where they are too few."""
    found = importance(space, objective, [entry.trial for entry in entries])
    return tuple(KnobWeight(one.name, one.share, one.interval, one.matters) for one in found)


def weights_of(record: SessionRecord, entries: Sequence[JournalEntry]) -> tuple[KnobWeight, ...]:
    """The same from a stored session alone; empty where its knobs are not the catalogue's now."""
    if record.catalogue_hash != load_catalogue().hash:
        return ()
    return knob_weights(entries, stored_space(record, entries), record.objective)


def knob_changes(configuration: Configuration, space: KnobSpace) -> tuple[KnobChange, ...]:
    """The knobs that `configuration` changes from their baseline, in catalogue order."""
    baseline = space.baseline()
    changed = configuration.changes(baseline)
    return tuple(
        KnobChange(
            name=knob.name,
            default=baseline[knob.name],
            best=changed[knob.name],
            default_text=knob.format(baseline[knob.name]),
            best_text=knob.format(changed[knob.name]),
            effect=knob.effect.value,
            why=knob.knob.why,
            baseline=space.baseline_name,
        )
        for knob in space.knobs
        if knob.name in changed
    )


def _best(confirmation: Confirmation, space: KnobSpace) -> BestFacts:
    winner = confirmation.winner.configuration
    changed = winner.changes(space.baseline())
    return BestFacts(
        value=confirmation.best.value,
        ci95=confirmation.best.ci95,
        source=confirmation.winner.source,
        configuration=dict(winner),
        restart_required=any(space[name].effect is Effect.RESTART for name in changed),
    )


def trial_facts(entry: JournalEntry) -> TrialFacts:
    """A journalled trial as `result.json` tells it."""
    trial = entry.trial
    return TrialFacts(
        number=trial.number,
        phase=entry.phase.value,
        source=trial.source,
        status=trial.status.value,
        value=trial.value,
        wall_s=trial.wall_s,
        measured_s=trial.measured_s,
        ask_s=entry.ask_s,
        message=trial.message,
        configuration=dict(trial.configuration),
        reused=sum(time.reused for time in trial.query_times),
        pace=None if trial.pace is None else trial.pace.ratio,
    )


def _wall_s(entries: Sequence[JournalEntry], suggest_s: float) -> float:
    return suggest_s + sum(entry.ask_s + entry.trial.wall_s for entry in entries)


def _overhead(entries: Sequence[JournalEntry], suggest_s: float) -> Overhead:
    restart_s = sum(entry.restart_s for entry in entries)
    ask_s = sum(entry.ask_s for entry in entries)
    outside = sum(entry.trial.wall_s - entry.trial.measured_s for entry in entries)
    wall_s = _wall_s(entries, suggest_s)
    return Overhead(
        ratio=(outside + ask_s + suggest_s) / wall_s if wall_s else 0.0,
        restart_s=restart_s,
        apply_s=outside - restart_s,
        ask_s=ask_s,
        suggest_s=suggest_s,
    )
