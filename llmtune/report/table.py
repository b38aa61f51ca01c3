"""The rows that tables show, on a page or in a terminal, as plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from llmtune.knobs.configuration import Configuration
from llmtune.report.wording import ratio_text, span_text, trial_text, value_text
from llmtune.trial import Trial, TrialStatus
from llmtune.tuning.record import JournalEntry, Phase
from llmtune.tuning.result import KnobChange, KnobWeight, TrialFacts, TuningResult
from llmtune.units import format_memory
from workloads.objective import Objective


@dataclass(frozen=True, slots=True)
class Table:
    """A heading and rows of equally many cells."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"every row needs the {len(self.columns)} cells of {self.columns}")


@dataclass(frozen=True, slots=True)
class QueryChange:
    """One query's median seconds under the default and under the best configuration."""

    query_id: str
    default_s: float
    best_s: float

    @property
    def ratio(self) -> float:
        """How many times faster it became; below 1: slower."""
        return self.default_s / self.best_s


def decision_table(result: TuningResult) -> Table:
    """The baseline against the best, with their intervals and the ratio."""
    unit = result.objective.unit
    default = value_text(result.default.value, result.default.ci95, unit)
    best = value_text(result.best.value, result.best.ci95, unit)
    low, high = map(ratio_text, result.improvement.ci95)
    return Table(
        ("configuration", f"{result.objective.name} (95% interval)", f"against {result.baseline}"),
        (
            (result.baseline, default, "1"),
            (
                f"best, from {result.best.source}",
                best,
                f"{ratio_text(result.improvement.ratio)} ({low} to {high})",
            ),
        ),
    )


def knob_table(changes: Sequence[KnobChange]) -> Table:
    """The changed knobs: from, to, what applying takes, and what the knob does."""
    baseline = changes[0].baseline if changes else "default"
    return Table(
        ("knob", baseline, "best", "applied by", "what it does"),
        tuple((c.name, c.default_text, c.best_text, c.effect, c.why) for c in changes),
    )


def importance_table(weights: Sequence[KnobWeight]) -> Table:
    """The knobs that stand out, the most important first, and what is in doubt about them."""
    return Table(
        ("knob", "share of the variance", "95% interval"),
        tuple(
            (one.name, f"{one.share:.0%}", f"{one.ci95[0]:.0%} to {one.ci95[1]:.0%}")
            for one in weights
            if one.matters
        ),
    )


def trial_table(trials: Iterable[TrialFacts], objective: Objective) -> Table:
    """The trials in order, failed ones with their reason."""
    return Table(
        ("trial", "for", "source", "status", objective.name, "wall time", "note"),
        tuple(_trial_row(trial, objective.unit) for trial in trials),
    )


def facts_table(result: TuningResult) -> Table:
    """What was tuned, on what, how, and for how long."""
    hardware = f"{result.hardware.cores} cores, {format_memory(result.hardware.memory)} memory"
    share = f"{100 * result.overhead.ratio:.1f}% of it outside the queries"
    rows = (
        ("workload", result.workload),
        ("target", result.target),
        ("server", f"PostgreSQL {result.server_version}"),
        ("hardware", hardware),
        (
            "objective",
            f"{result.objective.direction} {result.objective.name}, {result.objective.unit}",
        ),
        ("optimizer", f"{result.optimizer}, seed {result.seed}"),
        ("warm start", f"{result.warm_start}, made in {span_text(result.suggest_s)}"),
        ("trials", _counts(result.trials)),
        ("wall time", f"{span_text(result.wall_s)}, {share}"),
        ("session", result.session),
        ("LLMTune", result.code_version),
    )
    return Table(("fact", "value"), rows)


def query_changes(
    entries: Iterable[JournalEntry], default: Configuration, best: Configuration
) -> tuple[QueryChange, ...]:
    """Each query's medians over the succeeded final runs of two configurations.

    Those of the search are left out: the best of many is lucky, and may be timed in part.
    Only queries with times under both are told; the largest saving comes first. Where the
    default came out best there is nothing to tell.
    """
    if best == default:
        return ()
    final = [one.trial for one in entries if one.phase is Phase.CONFIRM and one.trial.succeeded]
    before = _medians(trial for trial in final if trial.configuration == default)
    after = _medians(trial for trial in final if trial.configuration == best)
    both = (QueryChange(name, before[name], after[name]) for name in before if name in after)
    return tuple(sorted(both, key=lambda change: change.best_s - change.default_s))


def _medians(trials: Iterable[Trial]) -> dict[str, float]:
    seconds: dict[str, list[float]] = {}
    for trial in trials:
        for time in (one for one in trial.query_times if not one.reused):
            seconds.setdefault(time.query_id, []).append(time.seconds)
    return {query_id: median(times) for query_id, times in seconds.items()}


def _trial_row(trial: TrialFacts, unit: str) -> tuple[str, ...]:
    note = trial.message.strip().split("\n")[0]
    return (
        str(trial.number),
        trial.phase,
        trial.source,
        trial.status.replace("_", " "),
        trial_text(trial, unit),
        span_text(trial.wall_s),
        note,
    )


def _counts(trials: Iterable[TrialFacts]) -> str:
    trials = list(trials)
    phases = Counter(trial.phase for trial in trials)
    bad = Counter(t.status.replace("_", " ") for t in trials if t.status != TrialStatus.SUCCEEDED)
    parts = [f"{count} {phase}" for phase, count in phases.items()]
    parts += [f"{count} {status}" for status, count in bad.items()]
    return f"{len(trials)}: {', '.join(parts)}" if trials else "0"
