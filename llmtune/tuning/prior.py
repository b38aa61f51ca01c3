"""Observations of an earlier session that a new one's optimizer may start from."""

from __future__ import annotations

from llmtune.benchmark.evaluator import Evaluator
from llmtune.errors import UsageError
from llmtune.tuning.new_record import new_record
from llmtune.tuning.record import PRIOR, Phase, Prior, Request
from llmtune.tuning.search import best_of
from llmtune.tuning.store import SessionStore
from llmtune.tuning.terms import difference
from optimizers.warm_start import Proposal


def prior_of(
    store: SessionStore, session_id: str, evaluator: Evaluator, request: Request
) -> tuple[Prior, ...]:
    """The search trials of a stored session, at whose pace a session with them goes on.

    Args:
        request: for the session that starts from them.

    Raises:
        UsageError: it tuned something else, with the difference named, or has no trials.
        SessionError: there is no such session.
    """
    earlier = store.summary(session_id).record
    differs = difference(earlier, new_record(evaluator, request))
    if differs is not None:
        raise UsageError(
            f"session {session_id} says nothing of this one, for they differ in {differs}"
        )
    journal = [entry.trial for entry in store.journal(earlier.id) if entry.phase is Phase.SEARCH]
    if not journal:
        raise UsageError(f"session {session_id} has no search trial to start from")
    return tuple(
        Prior(earlier.id, one.configuration, one.status, one.value, one.pace, one.query_times)
        for one in journal
    )


def prior_proposals(prior: tuple[Prior, ...], evaluator: Evaluator) -> tuple[Proposal, ...]:
    """The prior's best configuration: what was measured before counts here once it is again."""
    best = best_of((one.trial for one in prior), evaluator.objective)
    return () if best is None else (Proposal(PRIOR, best.configuration),)
