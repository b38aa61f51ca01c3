"""The trials of a comparison on a server: the searches in turns, then the final runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.markup import escape

from llmtune.cli.bench import Bench
from llmtune.cli.comparison_sessions import ArmRequest, Sessions
from llmtune.cli.progress import Advance
from llmtune.report.comparable import arm_label, narrowing_text
from llmtune.report.wording import trial_text
from llmtune.trial import Trial
from llmtune.tuning.circumstances import Circumstances
from llmtune.tuning.events import Event, TrialFinished
from llmtune.tuning.finals import measure_finals
from llmtune.tuning.interleave import explore_in_turns
from llmtune.tuning.record import SessionRecord
from llmtune.tuning.session import TuningSession


def run_in_turns(
    sessions: Sessions, bench: Bench, arms: Sequence[ArmRequest], seeds: Sequence[int]
) -> None:
    """Run what is missing, one trial of each session after the other.

    Raises:
        As `TuningSession.run`.
    """
    missing = sessions.missing(arms, seeds)
    with (
        sessions.reporter.resumable("the same `llmtune compare`"),
        sessions.reporter.bar("Comparing") as advance,
    ):
        turns = _Turns(sessions, advance, len(missing))
        explore_in_turns(_opened(sessions, bench, missing, turns), turns.before)


def run_finals(
    sessions: Sessions, bench: Bench, arms: Sequence[ArmRequest], seeds: Sequence[int], runs: int
) -> None:
    """Measure each finished session's best configuration again, as far as that was not done.

    Raises:
        As `measure_finals`.
    """
    records = sessions.records(arms, seeds)
    sessions.keep_pace()

    def done(record: SessionRecord, trial: Trial) -> None:
        _tell(sessions, f"{_label(record)}, final run of its best", trial)

    with sessions.reporter.resumable("the same `llmtune compare`"):
        around = Circumstances(restart_clock=bench.restart_clock, facts=bench.facts)
        measure_finals(sessions.evaluator, sessions.store, records, runs, done, around)


def _label(record: SessionRecord) -> str:
    arm = arm_label(record.optimizer, record.warm_start)
    few = narrowing_text(record.plan.narrowing)
    return ", ".join(filter(None, (arm, few, f"seed {record.seed}")))


def _tell(sessions: Sessions, kind: str, trial: Trial) -> None:
    """A line for a trial."""
    told = trial_text(trial, sessions.evaluator.objective.unit) or trial.status.replace("_", " ")
    sessions.reporter.say(f"{escape(kind)}: {told}")


class _Turns:
    """Tells of the trials of all sessions together."""

    def __init__(self, sessions: Sessions, advance: Advance, count: int) -> None:
        self._sessions = sessions
        self._advance = advance
        self._all = count * (sessions.plan.trials or 1)
        self._label = ""
        self.done = 0

    def before(self, session: TuningSession) -> None:
        """Name the session whose trial comes next."""
        self._label = _label(session.record)
        self._advance(self._label, min(1.0, self.done / self._all))

    def __call__(self, event: Event) -> None:
        """A line for each trial."""
        if not isinstance(event, TrialFinished):
            return
        self.done += 1
        trial = event.trial
        _tell(self._sessions, f"{self._label}, trial {trial.number} ({trial.source})", trial)


def _opened(
    sessions: Sessions, bench: Bench, missing: Sequence[tuple[ArmRequest, int]], turns: _Turns
) -> Iterator[TuningSession]:
    """The sessions, each from where an earlier call left it."""
    for arm, seed in missing:
        yield _session(sessions, bench, arm, seed, turns)
    sessions.keep_pace()  # each was opened at its own, or at its prior's


def _session(
    sessions: Sessions, bench: Bench, arm: ArmRequest, seed: int, turns: _Turns
) -> TuningSession:
    shared = Circumstances(turns, bench.restart_clock, bench.facts)
    evaluator, store = sessions.evaluator, sessions.store
    found = sessions.stored(arm, seed)
    if found is None:
        return TuningSession.start(evaluator, store, sessions.record(arm, seed), shared)
    turns.done += found.trials
    return TuningSession.resume(evaluator, store, found.record.id, shared)
