"""Continuing a session: tell an optimizer what its journal holds."""

from __future__ import annotations

from collections.abc import Sequence

from llmtune.benchmark.evaluator import Evaluator
from llmtune.errors import SessionError
from llmtune.tuning.record import JournalEntry, Phase, SessionRecord, SessionStatus
from llmtune.tuning.search import default_failed
from llmtune.tuning.store import SessionSummary
from optimizers.base import Optimizer


def replay(journal: Sequence[JournalEntry], optimizer: Optimizer) -> None:
    """Tell the search's trials in order; the optimizer then asks as if never stopped.

    A default that could not be measured ended the session before it was told, and is due again.
    """
    for entry in journal:
        if entry.phase is Phase.SEARCH and not default_failed(entry.trial, optimizer.space):
            optimizer.tell(entry.trial)


def check_resumable(summary: SessionSummary, evaluator: Evaluator) -> None:
    """Make sure that `evaluator` measures what the session measured so far.

    Raises:
        SessionError: it is finished already, or was started on other terms.
    """
    record = summary.record
    if summary.status is SessionStatus.FINISHED:
        raise SessionError(f"session {record.id} is finished; there is nothing to resume")
    for what, stored, present in terms(record, evaluator):
        if stored != present:
            raise SessionError(
                f"session {record.id} cannot go on: its {what} was {stored}, now it is {present}"
            )


def terms(record: SessionRecord, evaluator: Evaluator) -> tuple[tuple[str, object, object], ...]:
    """What a session's measurements rest on, each with how it was and how it is now."""
    space = evaluator.space
    return (
        ("server version", record.server_version, space.version),
        ("hardware", record.hardware, space.hardware),
        ("knob catalogue", record.catalogue_hash, space.catalogue_hash),
        ("set of knobs", record.knobs, space.names),
        ("objective", record.objective, evaluator.objective),
    )
