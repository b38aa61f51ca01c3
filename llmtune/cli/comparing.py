"""The sessions of a comparison on a server: in turns, each once, however often it is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from llmtune.benchmark.evaluator import Evaluator
from llmtune.benchmark.pace import keep_pace
from llmtune.cli.bench import Bench
from llmtune.cli.progress import Advance, Reporter
from llmtune.cli.warm_start import Stage, WarmStart, proposals
from llmtune.report.comparable import arm_label
from llmtune.report.comparison import Arm, Run
from llmtune.report.curve import journal_curve
from llmtune.report.wording import number_text
from llmtune.tuning.events import Event, TrialFinished
from llmtune.tuning.interleave import explore_in_turns
from llmtune.tuning.prior import prior_proposals
from llmtune.tuning.record import PRIOR, Plan, Prior, Request, SessionRecord, SessionStatus
from llmtune.tuning.session import TuningSession, new_record
from llmtune.tuning.store import SessionStore, SessionSummary
from optimizers.registry import check_name
from optimizers.warm_start import portfolio

STORE_FILE = "sessions.db"


@dataclass(frozen=True, slots=True)
class ArmRequest:
    """One kind of session: an optimizer behind a warm start.

    Attributes:
        prior: observations of earlier sessions that it starts from too.
    """

    optimizer: str
    warm_start: WarmStart
    prior: tuple[Prior, ...] = ()

    @property
    def source(self) -> str:
        """Of the warm start, for people."""
        return PRIOR if self.prior else self.warm_start.source

    @property
    def label(self) -> str:
        """For charts and tables."""
        return arm_label(self.optimizer, self.source)

    @property
    def cold(self) -> bool:
        """Whether the optimizer is left to itself."""
        return self.warm_start.cold and not self.prior


def arms_of(optimizers: Iterable[str], warm_starts: Iterable[WarmStart]) -> list[ArmRequest]:
    """Every optimizer, once, behind every warm start, in the warm starts' order.

    Raises:
        UnknownName: there is no such optimizer.
    """
    names = list(dict.fromkeys(optimizers))
    for name in names:
        check_name(name)
    return [ArmRequest(name, warm_start) for warm_start in warm_starts for name in names]


class Sessions:
    """The stored sessions of several arms over the same seeds: found again, or planned."""

    def __init__(
        self,
        stage: Stage,
        evaluator: Evaluator,
        names: tuple[str, str],
        out: Path,
        origin: Mapping[str, Any],
        plan: Plan,
        reporter: Reporter,
    ) -> None:
        """Open the folder's session store.

        Args:
            names: of the target and of the workload.
            origin: what the stage was opened with, as JSON values; a stored session
                of another origin is none of this comparison's.
        """
        self.stage = stage
        self.evaluator = evaluator
        self.reporter = reporter
        self.plan = plan
        self.store = SessionStore(f"sqlite:///{out / STORE_FILE}")
        self._names = names
        self._origin = origin

    def missing(
        self, arms: Sequence[ArmRequest], seeds: Iterable[int]
    ) -> list[tuple[ArmRequest, int]]:
        """What is not finished yet, the arms of a seed side by side."""
        pairs = [(arm, seed) for seed in seeds for arm in arms]
        missing = [pair for pair in pairs if self._finished(*pair) is None]
        if len(missing) < len(pairs):
            self.reporter.say(f"{len(pairs) - len(missing)} sessions are done already")
        return missing

    def arms(self, arms: Sequence[ArmRequest], seeds: Iterable[int]) -> tuple[Arm, ...]:
        """Every arm with its finished sessions."""
        wanted = list(seeds)
        return tuple(
            Arm(arm.label, self._runs(arm, wanted), arm.optimizer, arm.cold) for arm in arms
        )

    def stored(self, arm: ArmRequest, seed: int) -> SessionSummary | None:
        """The session that was asked for in the same words on the same server, if any."""
        request = self._request(arm, seed)
        wanted = _terms(new_record(self.evaluator, request, prior=arm.prior))
        return next((s for s in self.store.sessions() if _terms(s.record) == wanted), None)

    def keep_pace(self) -> None:
        """Let all sessions of the folder be held against one pace."""
        journals = (self.store.journal(one.record.id) for one in self.store.sessions())
        keep_pace(self.evaluator, (entry.trial for journal in journals for entry in journal))

    def record(self, arm: ArmRequest, seed: int) -> SessionRecord:
        """A new session's record, its proposals made now."""
        made, seconds = proposals(arm.warm_start, self.stage, seed, self.reporter)
        first = prior_proposals(arm.prior, self.evaluator)
        return new_record(
            self.evaluator,
            self._request(arm, seed),
            portfolio(*first, *made),
            seconds,
            prior=arm.prior,
        )

    def _finished(self, arm: ArmRequest, seed: int) -> SessionSummary | None:
        found = self.stored(arm, seed)
        return found if found and found.status is SessionStatus.FINISHED else None

    def _runs(self, arm: ArmRequest, seeds: Iterable[int]) -> tuple[Run, ...]:
        found = [(seed, self._finished(arm, seed)) for seed in seeds]
        return tuple(
            Run(seed, journal_curve(one.record, self.store.journal(one.record.id)))
            for seed, one in found
            if one is not None
        )

    def _request(self, arm: ArmRequest, seed: int) -> Request:
        return Request(
            *self._names,
            arm.optimizer,
            arm.source,
            seed,
            self.plan,
            {**self._origin, **arm.warm_start.identity},
        )


def run_in_turns(
    sessions: Sessions, bench: Bench, arms: Sequence[ArmRequest], seeds: Sequence[int]
) -> None:
    """Run what is missing, one trial of each session after the other.

    Raises:
        As `TuningSession.run`.
    """
    missing = sessions.missing(arms, seeds)
    sessions.keep_pace()
    with (
        sessions.reporter.resumable("the same `llmtune compare`"),
        sessions.reporter.bar("Comparing") as advance,
    ):
        turns = _Turns(sessions, advance, len(missing))
        opened = [_opened(sessions, bench, arm, seed, turns) for arm, seed in missing]
        explore_in_turns(opened, turns.before)


class _Turns:
    """Tells of the trials of all sessions together."""

    def __init__(self, sessions: Sessions, advance: Advance, count: int) -> None:
        self._reporter = sessions.reporter
        self._advance = advance
        self._all = count * (sessions.plan.trials or 1)
        self._unit = sessions.evaluator.objective.unit
        self._label = ""
        self.done = 0

    def before(self, session: TuningSession) -> None:
        """Name the session whose trial comes next."""
        record = session.record
        self._label = f"{arm_label(record.optimizer, record.warm_start)}, seed {record.seed}"
        self._advance(self._label, min(1.0, self.done / self._all))

    def __call__(self, event: Event) -> None:
        """A line for each trial."""
        if not isinstance(event, TrialFinished):
            return
        self.done += 1
        trial = event.trial
        told = f"{trial.status}" if trial.value is None else number_text(trial.value)
        unit = "" if trial.value is None else f" {self._unit}"
        kind = f"{self._label}, trial {trial.number} ({trial.source})"
        self._reporter.say(f"{escape(kind)}: {told}{unit}")


def _opened(
    sessions: Sessions, bench: Bench, arm: ArmRequest, seed: int, turns: _Turns
) -> TuningSession:
    """The session, from where an earlier call left it."""
    shared = (turns, bench.restart_clock, bench.facts)
    evaluator, store = sessions.evaluator, sessions.store
    found = sessions.stored(arm, seed)
    if found is None:
        return TuningSession.start(evaluator, store, sessions.record(arm, seed), *shared)
    turns.done += found.trials
    return TuningSession.resume(evaluator, store, found.record.id, *shared)


def _terms(record: SessionRecord) -> dict[str, Any]:
    """All facts but those that differ from session to session."""
    facts = record.facts()
    for name in ("proposals", "suggest_s", "code_version"):
        del facts[name]
    return {**facts, "target": record.target, "workload": record.workload}
