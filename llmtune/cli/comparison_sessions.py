"""The sessions of a comparison: found again in its folder, or planned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmtune.benchmark.evaluator import Evaluator
from llmtune.benchmark.pace import keep_pace
from llmtune.cli.progress import Reporter
from llmtune.cli.proposals import Stage, proposals
from llmtune.cli.warm_start import WarmStart
from llmtune.report.arms import Arm, Run
from llmtune.report.comparable import arm_label
from llmtune.report.curve import final_values, journal_curve
from llmtune.trial import Trial
from llmtune.tuning.new_record import new_record
from llmtune.tuning.plan import Plan
from llmtune.tuning.prior import prior_of, prior_proposals
from llmtune.tuning.record import PRIOR, JournalEntry, Prior, Request, SessionRecord, SessionStatus
from llmtune.tuning.store import SessionStore, SessionSummary
from llmtune.tuning.terms import QUERIES, RUN_SECONDS, difference

STORE_FILE = "sessions.db"


@dataclass(frozen=True, slots=True)
class ArmRequest:
    """One kind of session: an optimizer that follows a warm start.

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
        wanted = new_record(self.evaluator, self._request(arm, seed), prior=arm.prior)
        return next((s for s in self.store.sessions() if _same(s.record, wanted)), None)

    def keep_pace(self) -> None:
        """Let all sessions of the folder be held against one pace."""
        keep_pace(self.evaluator, self._trials())

    def known(self, store: SessionStore, session_id: str, arm: ArmRequest) -> tuple[Prior, ...]:
        """What `prior_of` gives for an arm, told at the pace of this folder's sessions.

        Raises:
            As `prior_of`.
        """
        prior = prior_of(store, session_id, self.evaluator, self._request(arm, 0))
        pace = next((trial.pace for trial in self._trials() if trial.pace), None)
        return prior if pace is None else tuple(p.held_against(pace.reference_s) for p in prior)

    def record(self, arm: ArmRequest, seed: int) -> SessionRecord:
        """A new session's record, its proposals made now."""
        made, seconds = proposals(arm.warm_start, self.stage, seed, self.reporter)
        first = prior_proposals(arm.prior, self.evaluator)
        request = self._request(arm, seed)
        return new_record(self.evaluator, request, (*first, *made), seconds, prior=arm.prior)

    def done(self, arm: ArmRequest, seed: int) -> SessionRecord | None:
        """The record of the finished session; None when there is none yet."""
        found = self._finished(arm, seed)
        return None if found is None else found.record

    def _finished(self, arm: ArmRequest, seed: int) -> SessionSummary | None:
        found = self.stored(arm, seed)
        return found if found and found.status is SessionStatus.FINISHED else None

    def _runs(self, arm: ArmRequest, seeds: Iterable[int]) -> tuple[Run, ...]:
        found = [(seed, self._finished(arm, seed)) for seed in seeds]
        return tuple(
            _run(seed, one.record, self.store.journal(one.record.id))
            for seed, one in found
            if one is not None
        )

    def _trials(self) -> Iterator[Trial]:
        """Of all the folder's sessions, those of the newest first."""
        for one in self.store.sessions():
            yield from (entry.trial for entry in self.store.journal(one.record.id))

    def _request(self, arm: ArmRequest, seed: int) -> Request:
        return Request(
            *self._names,
            arm.optimizer,
            arm.source,
            seed,
            self.plan,
            {**self._origin, **arm.warm_start.identity},
        )


def _run(seed: int, record: SessionRecord, journal: Sequence[JournalEntry]) -> Run:
    return Run(seed, journal_curve(record, journal), final_values(record, journal))


def _same(one: SessionRecord, two: SessionRecord) -> bool:
    """Whether both were asked for in the same words, on terms that do not differ."""
    return _words(one) == _words(two) and difference(one, two) is None


def _words(record: SessionRecord) -> dict[str, Any]:
    """All facts but those that differ from session to session or from call to call."""
    facts = record.facts()
    for name in ("proposals", "suggest_s", "code_version"):
        del facts[name]
    # A live server has other connections open each time; older records do not tell all terms.
    plan = {name: value for name, value in facts["plan"].items() if name != "clients"}
    told = (QUERIES, RUN_SECONDS)
    origin = {name: value for name, value in facts["origin"].items() if name not in told}
    words = {**facts, "plan": plan, "origin": origin}
    return {**words, "target": record.target, "workload": record.workload}
