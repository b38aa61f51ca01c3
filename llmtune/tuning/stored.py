"""A finished session from the store alone: its knob space and its outcome; no server is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmtune.errors import SessionError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.live.address import is_address
from llmtune.trial import Trial
from llmtune.tuning.circumstances import Circumstances
from llmtune.tuning.decision import Decision
from llmtune.tuning.events import Event, TrialStarted
from llmtune.tuning.record import JournalEntry, SessionRecord, SessionStatus
from llmtune.tuning.runner import Runner
from llmtune.tuning.session import Outcome
from llmtune.tuning.store import SessionStore, SessionSummary, store_option
from workloads.objective import Objective


def stored_space(record: SessionRecord, entries: Sequence[JournalEntry]) -> KnobSpace:
    """The knobs of a session, with the baseline that its trials tell.

    Raises:
        SessionError: its knobs are not the catalogue's now.
    """
    catalogue = load_catalogue()
    if record.catalogue_hash != catalogue.hash:
        raise SessionError(
            f"session {record.id} was measured with another knob catalogue than this version of "
            f"LLMTune has; use the one that measured it, {record.code_version}"
        )
    space = resolve_space(
        catalogue, record.server_version, record.hardware, record.knobs, durability=True
    )
    if record.origin.windows is not None:
        space = space.for_everyone()
    baseline = _baseline(entries)
    return space.running(baseline) if baseline and is_address(record.target) else space


def stored_outcome(store: SessionStore, session_id: str) -> tuple[Outcome, KnobSpace]:
    """What a finished session found, by the decision that its journalled trials lead to again.

    The knob space beside it is its `stored_space`.

    Raises:
        SessionError: it has no answer, or none yet, and what to do about that.
    """
    summary = store.summary(session_id)
    record = summary.record
    if summary.status is not SessionStatus.FINISHED:
        raise _unfinished(summary, store_option(store.name))
    entries = store.journal(record.id)
    space = stored_space(record, entries)
    past = _Past(record, space, store_option(store.name))
    runner = Runner(past, store, record, entries, Circumstances(past.refuse))
    decision = Decision(runner)
    pruning = decision.minimise()
    return Outcome(record, entries, pruning, decision.confirm(pruning)), space


@dataclass(frozen=True, slots=True)
class _Past:
    """Stands for the target of a session whose trials are all made: it makes none.

    Attributes:
        option: what commands need to find the session's store.
    """

    record: SessionRecord
    space: KnobSpace
    option: str

    @property
    def objective(self) -> Objective:
        """The session's."""
        return self.record.objective

    def measure(
        self,
        configuration: Configuration,  # noqa: ARG002  nothing is measured
        *,
        number: int,  # noqa: ARG002
        source: str,  # noqa: ARG002
        cap: float | None = None,  # noqa: ARG002
    ) -> Trial:
        """Nothing."""
        raise self._undecided()

    def refuse(self, event: Event) -> None:
        """End at a trial that the journal lacks, before anything is journalled."""
        if isinstance(event, TrialStarted):
            raise self._undecided()

    def _undecided(self) -> SessionError:
        name = self.record.id
        return SessionError(
            f"session {name} has no answer: not all the final runs that decide are in its "
            "journal, as in that of a comparison's session, which only searches; "
            f"`llmtune export {name} --format csv{self.option}` has its trials, and "
            f"`llmtune tune --prior {name}{self.option}` starts from them"
        )


def _unfinished(summary: SessionSummary, option: str) -> SessionError:
    name, stands = summary.record.id, "it still runs, or was killed"
    if summary.status is SessionStatus.INTERRUPTED:
        stands = f"it was interrupted ({summary.message or 'no reason given'})"
    return SessionError(
        f"session {name} has no answer yet: {stands}; `llmtune resume {name}{option}` goes on "
        f"with it, and `llmtune export {name} --format csv{option}` has its trials so far"
    )


def _baseline(entries: Sequence[JournalEntry]) -> Configuration | None:
    """As the target was set when the default was run last; None before the first trial."""
    runs = (one.trial for one in reversed(entries) if one.trial.source == "default")
    return next((trial.configuration for trial in runs), None)
