"""The sessions of a comparison: found again in its folder, or planned."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.markup import escape

from llmtune.benchmark.evaluator import Evaluator
from llmtune.benchmark.pace import keep_pace
from llmtune.cli.progress import Reporter
from llmtune.model.proposals import proposals
from llmtune.model.stage import Stage
from llmtune.model.warm_start import WarmStart
from llmtune.report.arms import Arm, Run
from llmtune.report.comparable import arm_label, narrowing_text
from llmtune.report.curve import final_values, journal_curve
from llmtune.trial import Trial
from llmtune.tuning.new_record import new_record
from llmtune.tuning.origin import Origin
from llmtune.tuning.plan import Plan
from llmtune.tuning.prior import prior_of, prior_proposals
from llmtune.tuning.record import PRIOR, JournalEntry, Prior, Request, SessionRecord, SessionStatus
from llmtune.tuning.store import SessionStore, SessionSummary
from llmtune.tuning.terms import search_difference
from optimizers.narrowed import Narrowing

STORE_FILE = "sessions.db"


@dataclass(frozen=True, slots=True)
class ArmRequest:
    """One kind of session: an optimizer that follows a warm start.

    Attributes:
        prior: observations of earlier sessions that it starts from too.
        notes: what one must know to read its sessions, wherever they are compared.
        narrowing: how its searches go on with few knobs; None: with all.
    """

    optimizer: str
    warm_start: WarmStart
    prior: tuple[Prior, ...] = ()
    notes: tuple[str, ...] = ()
    narrowing: Narrowing | None = None

    @property
    def source(self) -> str:
        """Of the warm start, for people."""
        return PRIOR if self.prior else self.warm_start.source

    @property
    def label(self) -> str:
        """For charts and tables."""
        return ", ".join(filter(None, (arm_label(self.optimizer, self.source), self.way)))

    @property
    def way(self) -> str:
        """How it searches otherwise than the others, for people; empty: as they do."""
        return narrowing_text(self.narrowing)

    def plan(self, plan: Plan) -> Plan:
        """That of its sessions, where `plan` is the comparison's."""
        few = self.narrowing
        return plan if few is None else replace(plan, keep_knobs=few.keep, narrow_after=few.after)

    @property
    def cold(self) -> bool:
        """Whether the optimizer is left to itself."""
        return self.warm_start.cold and not self.prior and self.narrowing is None


class Sessions:
    """The stored sessions of several arms over the same seeds: found again, or planned."""

    def __init__(
        self,
        stage: Stage,
        evaluator: Evaluator,
        names: tuple[str, str],
        out: Path,
        origin: Origin,
        plan: Plan,
        reporter: Reporter,
    ) -> None:
        """Open the folder's session store.

        Args:
            names: of the target and of the workload.
            origin: what the stage was opened with; a stored session of another origin is
                none of this comparison's.
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
        found = zip(pairs, self._finished(pairs), strict=True)
        missing = [pair for pair, done in found if done is None]
        if len(missing) < len(pairs):
            self.reporter.say(f"{len(pairs) - len(missing)} sessions are done already")
        self._tell_of_others(missing)
        return missing

    def arms(self, arms: Sequence[ArmRequest], seeds: Iterable[int]) -> tuple[Arm, ...]:
        """Every arm with its finished sessions."""
        wanted = list(seeds)
        return tuple(
            Arm(arm.label, self._runs(arm, wanted), arm.optimizer, arm.cold, arm.way)
            for arm in arms
        )

    def stored(self, arm: ArmRequest, seed: int) -> SessionSummary | None:
        """The session that was asked for in the same words on the same server, if any."""
        (found,) = self._found([(arm, seed)])
        return found

    def keep_pace(self) -> None:
        """Let all sessions of the folder be held against one pace."""
        keep_pace(self.evaluator, self._trials())

    def known(self, store: SessionStore, ids: str, arm: ArmRequest) -> tuple[Prior, ...]:
        """What `prior_of` gives for an arm, told at the pace of this folder's sessions.

        Raises:
            As `prior_of`.
        """
        prior = prior_of(store, ids, self.evaluator, self._request(arm, 0))
        pace = next((trial.pace for trial in self._trials() if trial.pace), None)
        return prior if pace is None else tuple(p.held_against(pace.reference_s) for p in prior)

    def record(self, arm: ArmRequest, seed: int) -> SessionRecord:
        """A new session's record, its proposals made now."""
        made, seconds = proposals(arm.warm_start, self.stage, seed, self.reporter.say)
        first = prior_proposals(arm.prior, self.evaluator)
        request = self._request(arm, seed)
        return new_record(self.evaluator, request, (*first, *made), seconds, prior=arm.prior)

    def records(self, arms: Sequence[ArmRequest], seeds: Iterable[int]) -> list[SessionRecord]:
        """Of the finished sessions, the arms of a seed side by side."""
        found = self._finished([(arm, seed) for seed in seeds for arm in arms])
        return [one.record for one in found if one is not None]

    def _tell_of_others(self, missing: Sequence[tuple[ArmRequest, int]]) -> None:
        """Say why sessions that were asked for in the same words are none of these."""
        stored = [(one.record, _words(one.record)) for one in self.store.sessions()]
        differences: Counter[str] = Counter()
        for wanted in (self._wanted(*pair) for pair in missing):
            words = _words(wanted)
            alike = (one for one, told in stored if told == words)
            differences.update(filter(None, (search_difference(one, wanted) for one in alike)))
        for differs, count in differences.items():
            why = f"what they began on and what there is now differ in {escape(differs)}"
            self.reporter.say(f"{count} sessions of an earlier call stay out: {why}")

    def _finished(self, pairs: Iterable[tuple[ArmRequest, int]]) -> list[SessionSummary | None]:
        """Of each arm and seed the session that is done; None: it is still to be run."""
        done = SessionStatus.FINISHED
        return [one if one and one.status is done else None for one in self._found(pairs)]

    def _found(self, pairs: Iterable[tuple[ArmRequest, int]]) -> list[SessionSummary | None]:
        """What `stored` says of each arm and seed; the store, which may be long, is read once."""
        alike: dict[tuple[str, int], list[SessionSummary]] = defaultdict(list)
        for one in self.store.sessions():
            alike[one.record.optimizer, one.record.seed].append(one)
        return [
            next((s for s in alike[wanted.optimizer, wanted.seed] if _same(s.record, wanted)), None)
            for wanted in (self._wanted(*pair) for pair in pairs)
        ]

    def _runs(self, arm: ArmRequest, seeds: Sequence[int]) -> tuple[Run, ...]:
        found = zip(seeds, self._finished([(arm, seed) for seed in seeds]), strict=True)
        return tuple(
            _run(seed, one.record, self.store.journal(one.record.id))
            for seed, one in found
            if one is not None
        )

    def _trials(self) -> Iterator[Trial]:
        """Of all the folder's sessions, those of the newest first."""
        for one in self.store.sessions():
            yield from (entry.trial for entry in self.store.journal(one.record.id))

    def _wanted(self, arm: ArmRequest, seed: int) -> SessionRecord:
        """As a session that begins now, but for its proposals."""
        return new_record(self.evaluator, self._request(arm, seed), prior=arm.prior)

    def _request(self, arm: ArmRequest, seed: int) -> Request:
        return Request(
            *self._names,
            arm.optimizer,
            arm.source,
            seed,
            arm.plan(self.plan),
            replace(self._origin, starts=arm.warm_start.identity, notes=tuple(arm.notes)),
        )


def _run(seed: int, record: SessionRecord, journal: Sequence[JournalEntry]) -> Run:
    return Run(seed, journal_curve(record, journal), final_values(record, journal))


def _same(one: SessionRecord, two: SessionRecord) -> bool:
    """Whether both were asked for in the same words, on terms that do not differ."""
    return _words(one) == _words(two) and search_difference(one, two) is None


def _words(record: SessionRecord) -> dict[str, Any]:
    """All facts but those that differ from session to session or from call to call."""
    # Older records do not tell all terms; the trials of a prior are many, and compared as they are.
    origin = replace(record.origin, queries=None, run_s=None, ground=None, notes=())
    facts = replace(record, origin=origin, prior=()).facts()
    for name in ("proposals", "suggest_s", "code_version"):
        del facts[name]
    # A live server has other connections open each time.
    plan = {name: value for name, value in facts["plan"].items() if name != "clients"}
    words = {**facts, "plan": plan, "prior": record.prior}
    return {**words, "target": record.target, "workload": record.workload}
