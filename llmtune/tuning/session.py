"""A tuning session: search, minimise the answer, decide, and lose nothing on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from llmtune.benchmark.evaluator import Evaluator
from llmtune.benchmark.query_plans import plans_of
from llmtune.secrets import redacted
from llmtune.tuning.circumstances import ALONE, Circumstances
from llmtune.tuning.confirm import Confirmation
from llmtune.tuning.decision import Decision
from llmtune.tuning.events import (
    PhaseStarted,
    SessionFinished,
    SessionInterrupted,
    SessionStarted,
)
from llmtune.tuning.interrupt import sigterm_interrupts
from llmtune.tuning.prune import Pruning
from llmtune.tuning.record import JournalEntry, Phase, SessionRecord, SessionStatus
from llmtune.tuning.replay import check_resumable, replay
from llmtune.tuning.runner import Runner
from llmtune.tuning.search import step
from llmtune.tuning.store import SessionStore
from optimizers.base import Optimizer
from optimizers.registry import looks_at_plans
from optimizers.registry import optimizer as build_optimizer
from optimizers.warm_start import WarmStarted, default_proposal, portfolio


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that a finished session knows.

    Attributes:
        pruning: None when the search found nothing better than the default.
    """

    record: SessionRecord
    entries: tuple[JournalEntry, ...]
    pruning: Pruning | None
    confirmation: Confirmation


class TuningSession:
    """Tunes one workload on one target and journals every trial.

    Make it with `start` or `resume`, then call `run`. Whatever ends `run` early
    (Ctrl-C, SIGTERM, an error) leaves the session INTERRUPTED and resumable; the
    trial under way is not recorded. Restoring the target is its context manager's
    work, not the session's.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        store: SessionStore,
        record: SessionRecord,
        journal: Sequence[JournalEntry] = (),
        circumstances: Circumstances = ALONE,
    ) -> None:
        self.record = record
        self._store = store
        self._on_event = circumstances.on_event
        self._optimizer = _warm_started(evaluator, record)
        self._replayed = len(journal)
        replay(journal, self._optimizer)
        self._runner = Runner(evaluator, store, record, journal, circumstances)

    @classmethod
    def start(
        cls,
        evaluator: Evaluator,
        store: SessionStore,
        record: SessionRecord,
        circumstances: Circumstances = ALONE,
    ) -> TuningSession:
        """A new session, stored before its first trial.

        Raises:
            UnknownName: there is no such optimizer; nothing is stored.
        """
        session = cls(evaluator, store, record, (), circumstances)
        store.create(record)
        return session

    @classmethod
    def resume(
        cls,
        evaluator: Evaluator,
        store: SessionStore,
        session_id: str,
        circumstances: Circumstances = ALONE,
        optimizer: str | None = None,
    ) -> TuningSession:
        """A stored session, to be continued behind its last journalled trial.

        Args:
            optimizer: goes on in place of the session's own, told of all its trials.

        Raises:
            SessionError: there is none, it is finished, or it was started on other terms.
            UnknownName: there is no such optimizer.
        """
        summary = store.summary(session_id)
        check_resumable(summary, evaluator)
        record = replace(summary.record, optimizer=optimizer or summary.record.optimizer)
        journal = store.journal(session_id)
        session = cls(evaluator, store, record, journal, circumstances)
        store.change_optimizer(session_id, record.optimizer)
        store.mark(session_id, SessionStatus.RUNNING)
        return session

    def run(self) -> Outcome:
        """Search, prune, confirm.

        Raises:
            KeyboardInterrupt: on Ctrl-C or SIGTERM.
            SessionError: the default configuration could not be measured.
            TargetError: the target's server was lost.
        """
        with self._recorded():
            self._search()
            decision = Decision(self._runner)
            pruning = decision.minimise()
            confirmation = decision.confirm(pruning)
        return Outcome(self.record, tuple(self._runner.entries), pruning, confirmation)

    def explore(self) -> tuple[JournalEntry, ...]:
        """Search only, and return the journal: what a comparison of searches needs.

        Raises:
            As `run`.
        """
        with self.exploring():
            while self.step():
                pass
        return tuple(self._runner.entries)

    @contextmanager
    def exploring(self) -> Iterator[None]:
        """The block in which `step` may be called; left in peace, the session is FINISHED.

        Other sessions' blocks may lie around it and in it, and their steps between its own.
        """
        with self._recorded():
            self._announce_search()
            yield

    def step(self) -> bool:
        """Make one search trial; False, and nothing is run, when the plan is used up.

        What happened since the last step is none of this session's time.

        Raises:
            As `run`.
        """
        self._runner.start_clock()
        return step(self._runner, self._optimizer)

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        """Note in the store how the work inside ends; SIGTERM ends it like Ctrl-C."""
        self._runner.start_clock()
        self._on_event(SessionStarted(self.record.id, self._replayed))
        with sigterm_interrupts(), self._resumable():
            yield
            self._store.mark(self.record.id, SessionStatus.FINISHED)
        self._on_event(SessionFinished(self.record.id))

    def _search(self) -> None:
        self._announce_search()
        while step(self._runner, self._optimizer):
            pass

    def _announce_search(self) -> None:
        plan = self.record.plan
        self._on_event(PhaseStarted(Phase.SEARCH, plan.trials, plan.seconds))

    @contextmanager
    def _resumable(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._store.mark(self.record.id, SessionStatus.INTERRUPTED, _reason(error))
            self._on_event(SessionInterrupted(self.record.id))
            raise


def _reason(error: BaseException) -> str:
    """What ended a session early: one line, without a password."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped by Ctrl-C or a signal"
    first = str(error).partition("\n")[0]
    return redacted(f"{type(error).__name__}: {first}")


def _warm_started(evaluator: Evaluator, record: SessionRecord) -> WarmStarted:
    """The session's optimizer behind its proposals, the default's repeats first."""
    inner: Optimizer = build_optimizer(
        record.optimizer,
        evaluator.space,
        record.objective,
        record.seed,
        record.plan.clients,
        save_restarts=record.plan.cheap.save_restarts,
        narrowing=record.plan.narrowing,
        what_if=plans_of(evaluator) if looks_at_plans(record.optimizer) else None,
    )
    for observation in record.prior:
        inner.learn(observation.trial)  # not `tell`: the session's incumbent is its own
    default = default_proposal(evaluator.space)
    _, *others = portfolio(default, *record.proposals)
    return WarmStarted(inner, [*[default] * record.plan.default_repeats, *others])
