"""The best-so-far curve of one session: what was reached, after how much work."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from llmtune.trial import TrialStatus
from llmtune.tuning.assemble import trial_facts
from llmtune.tuning.finals import final_trials
from llmtune.tuning.record import JournalEntry, Phase, SessionRecord
from llmtune.tuning.result import TrialFacts, TuningResult
from workloads.objective import Direction, Objective


class Axis(StrEnum):
    """What work is counted in."""

    TRIALS = "trials"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Point:
    """One search trial.

    Attributes:
        trial: how many trials the session had made with this one; from 1.
        seconds: wall time from the session's start to this trial's end; making
            the suggestions, restarts and asks are all in it.
        value: in the objective's unit; None when the trial has none. The value
            of a CAPPED trial is a bound.
        measured_s: seconds of it in which queries ran; the rest is overhead.
    """

    trial: int
    seconds: float
    source: str
    status: TrialStatus
    value: float | None
    measured_s: float = 0.0

    @property
    def measured(self) -> float | None:
        """The value that was measured; None where there is none, or only a bound."""
        return self.value if self.status is TrialStatus.SUCCEEDED else None

    def at(self, axis: Axis) -> float:
        """Where the point lies on `axis`."""
        return float(self.trial) if axis is Axis.TRIALS else self.seconds


@dataclass(frozen=True, slots=True)
class Curve:
    """A session's trials in order; only SUCCEEDED ones lower or raise the best so far.

    Attributes:
        suggested: the trial of what a source proposed first, also where that was the default
            or another source's too; empty where the proposals are not known.
    """

    objective: Objective
    points: tuple[Point, ...]
    suggested: Mapping[str, Point] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for before, after in zip(self.points, self.points[1:], strict=False):
            if after.trial <= before.trial or after.seconds < before.seconds:
                raise ValueError(f"trial {after.trial}: the points of a curve must be in order")

    def best(self) -> tuple[float | None, ...]:
        """The best measured value after each point; None before any trial succeeded."""
        values: list[float | None] = []
        best: float | None = None
        for point in self.points:
            if point.measured is not None:
                better = best is None or self.objective.better(point.measured, best)
                best = point.measured if better else best
            values.append(best)
        return tuple(values)

    @property
    def final(self) -> float | None:
        """The best value of all; None when no trial succeeded."""
        return self.best()[-1] if self.points else None

    def best_at(self, positions: Iterable[float], axis: Axis) -> list[float | None]:
        """The best value at each position on `axis`; it stays after the last trial."""
        starts = [point.at(axis) for point in self.points]
        best = self.best()
        indices = (bisect_right(starts, position) for position in positions)
        return [best[index - 1] if index else None for index in indices]

    def reached(self, value: float, axis: Axis) -> float | None:
        """T(value): the work until the best so far is at least as good; None: never."""
        for point, best in zip(self.points, self.best(), strict=True):
            if best is not None and not self.objective.better(value, best):
                return point.at(axis)
        return None

    @property
    def sources(self) -> set[str]:
        """Who proposed any of it."""
        return {point.source for point in self.points} | set(self.suggested)

    @property
    def default(self) -> Point | None:
        """The default's first run that came to a value, as one that failed is run anew."""
        runs = [point for point in self.points if point.source == "default"]
        return next((point for point in runs if point.measured is not None), None)

    def first(self, source: str) -> Point | None:
        """The trial of what `source` proposed first, or the first that bears its name."""
        named = (point for point in self.points if point.source == source)
        return self.suggested.get(source) or next(named, None)


def session_curve(result: TuningResult) -> Curve:
    """The curve of a session's search; pruning and the decision come after it."""
    return _curve(objective_of(result), result.suggest_s, result.trials)


def journal_curve(record: SessionRecord, journal: Sequence[JournalEntry]) -> Curve:
    """The curve of a stored session's search."""
    curve = _curve(record.objective, record.suggest_s, map(trial_facts, journal))
    return replace(curve, suggested=_suggested(record, journal, curve.points))


def _suggested(
    record: SessionRecord, journal: Sequence[JournalEntry], points: Sequence[Point]
) -> dict[str, Point]:
    searched = [one.trial.configuration for one in journal if one.phase is Phase.SEARCH]
    trials = dict(zip(reversed(searched), reversed(points), strict=True))  # the first of each
    firsts = {one.source: one.configuration for one in reversed(record.proposals)}
    return {source: trials[first] for source, first in firsts.items() if first in trials}


def final_values(
    record: SessionRecord, journal: Sequence[JournalEntry]
) -> tuple[float | None, ...]:
    """What the final runs of a stored session's best configuration gave; None where one failed."""
    trials = final_trials(journal, record.objective)
    return tuple(trial.value if trial.succeeded else None for trial in trials)


def _curve(objective: Objective, suggest_s: float, trials: Iterable[TrialFacts]) -> Curve:
    points: list[Point] = []
    seconds = suggest_s
    for trial in (trial for trial in trials if trial.phase == Phase.SEARCH):
        seconds += trial.ask_s + trial.wall_s
        status = TrialStatus(trial.status)
        measured_s = trial.measured_s or 0.0
        number = len(points) + 1
        points.append(Point(number, seconds, trial.source, status, trial.value, measured_s))
    return Curve(objective, tuple(points))


def objective_of(result: TuningResult) -> Objective:
    """What the session was tuned for."""
    facts = result.objective
    return Objective(facts.name, facts.unit, Direction(facts.direction))
