"""Runs one trial of a session: guard, measure, journal, report."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from time import perf_counter

from llmtune.benchmark.cheap import MeasuresCheaply
from llmtune.benchmark.evaluator import Evaluator
from llmtune.benchmark.pace import keep_pace
from llmtune.knobs.configuration import Configuration
from llmtune.trial import Trial
from llmtune.tuning.circumstances import ALONE, Circumstances
from llmtune.tuning.events import TrialFinished, TrialStarted
from llmtune.tuning.guards import ServerFacts, rejected
from llmtune.tuning.record import JournalEntry, Phase, SessionRecord
from llmtune.tuning.store import SessionStore
from optimizers.base import is_better


class Runner:
    """The one place where a session's trials are made.

    It starts from the journal of an earlier run. The search goes on behind it; the
    decision's trials are deterministic, so a decision that starts again is given
    its journalled trials back, in order, before anything is measured anew.

    Attributes:
        entries: all of the session's trials, in order.
        incumbent: the best search trial so far.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        store: SessionStore,
        record: SessionRecord,
        journal: Sequence[JournalEntry],
        circumstances: Circumstances = ALONE,
    ) -> None:
        self.evaluator = evaluator
        self.record = record
        self.on_event = circumstances.on_event
        self.entries: list[JournalEntry] = []
        self.incumbent: Trial | None = None
        self._store = store
        self._restart_clock = circumstances.restart_clock
        self._facts = circumstances.facts or ServerFacts(clients=record.plan.clients)
        self._decided = deque(entry for entry in journal if self._decides(entry))
        self._idle_since = perf_counter()
        self._number = max((entry.trial.number for entry in journal), default=-1) + 1
        prior = (one.trial for one in record.prior)  # all there is before the first trial
        keep_pace(evaluator, [*(entry.trial for entry in journal), *prior])
        for entry in journal:
            self._take(entry)

    @property
    def search(self) -> tuple[Trial, ...]:
        """The search's trials."""
        return tuple(entry.trial for entry in self.entries if entry.phase is Phase.SEARCH)

    @property
    def elapsed_s(self) -> float:
        """Wall seconds of the session: making proposals, asking, applying, measuring."""
        trials = sum(entry.ask_s + entry.trial.wall_s for entry in self.entries)
        return self.record.suggest_s + trials

    @property
    def search_s(self) -> float:
        """Those of them until the search's last trial."""
        searched = [entry for entry in self.entries if entry.phase is Phase.SEARCH]
        return self.record.suggest_s + sum(entry.ask_s + entry.trial.wall_s for entry in searched)

    def start_clock(self) -> None:
        """From now on, seconds outside trials count as the next trial's `ask_s`."""
        self._idle_since = perf_counter()

    def measure(
        self, phase: Phase, source: str, configuration: Configuration, cap: float | None = None
    ) -> Trial:
        """Measure one configuration and journal the trial before returning it."""
        replayed = self._replayed(phase, configuration)
        if replayed is not None:
            return replayed
        self.on_event(TrialStarted(phase, self._number, source))
        ask_s = perf_counter() - self._idle_since
        restarting = self._restart_clock()
        trial = self._guarded(phase, source, configuration, cap)
        entry = JournalEntry(phase, trial, ask_s, self._restart_clock() - restarting)
        self._idle_since = perf_counter()
        self._store.append(self.record.id, entry)
        self._number += 1
        self._take(entry)
        self.on_event(TrialFinished(phase, trial, self.incumbent, self.elapsed_s))
        return trial

    def _decides(self, entry: JournalEntry) -> bool:
        """Whether a decision that starts again takes this trial over.

        A default that failed in the final runs ended the decision, and is run anew.
        """
        failed = entry.phase is Phase.CONFIRM and not entry.trial.succeeded
        is_default = entry.trial.configuration == self.evaluator.space.baseline()
        return entry.phase is not Phase.SEARCH and not (failed and is_default)

    def _replayed(self, phase: Phase, configuration: Configuration) -> Trial | None:
        """What the decision ran before; what an earlier one ran otherwise is passed over."""
        while self._decided:
            head = self._decided.popleft()
            if head.phase is phase and head.trial.configuration == configuration:
                return head.trial
        return None

    def _guarded(
        self, phase: Phase, source: str, configuration: Configuration, cap: float | None
    ) -> Trial:
        """A configuration that a guard refuses is never applied."""
        space, number = self.evaluator.space, self._number
        refused = rejected(configuration, space, self._facts, number=number, source=source)
        return refused or self._measured(phase, source, configuration, cap)

    def _measured(
        self, phase: Phase, source: str, configuration: Configuration, cap: float | None
    ) -> Trial:
        """Cheaply where the plan allows it: in the search, and never the baseline."""
        evaluator, cheap = self.evaluator, self.record.plan.cheap
        searching = phase is Phase.SEARCH and configuration != evaluator.space.baseline()
        if searching and cheap.measured_cheaply and isinstance(evaluator, MeasuresCheaply):
            return evaluator.measure_cheaply(
                configuration,
                number=self._number,
                source=source,
                cheap=cheap,
                earlier=self.search,
                cap=cap,
            )
        return evaluator.measure(configuration, number=self._number, source=source, cap=cap)

    def _take(self, entry: JournalEntry) -> None:
        self.entries.append(entry)
        searching = entry.phase is Phase.SEARCH
        if searching and is_better(entry.trial, self.incumbent, self.evaluator.objective):
            self.incumbent = entry.trial
