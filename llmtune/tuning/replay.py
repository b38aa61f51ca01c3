"""Continuing a session: tell an optimizer what its journal holds."""

from __future__ import annotations

from collections.abc import Sequence

from llmtune.benchmark.evaluator import Evaluator
from llmtune.errors import SessionError
from llmtune.tuning.new_record import new_record
from llmtune.tuning.record import JournalEntry, Phase, Request, SessionStatus
from llmtune.tuning.search import default_failed
from llmtune.tuning.store import SessionSummary
from llmtune.tuning.terms import difference
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
    again = Request(
        record.target,
        record.workload,
        record.optimizer,
        record.warm_start,
        record.seed,
        record.plan,
        record.origin,
    )
    differs = difference(record, new_record(evaluator, again))
    if differs is not None:
        raise SessionError(
            f"session {record.id} cannot go on here: what it was started on and what there is now "
            f"differ in {differs}"
        )
