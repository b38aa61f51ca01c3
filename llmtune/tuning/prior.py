"""Observations of earlier sessions that a new one's optimizer may start from."""

from __future__ import annotations

from collections.abc import Sequence

from llmtune.benchmark.evaluator import Evaluator
from llmtune.errors import UsageError
from llmtune.tuning.new_record import new_record
from llmtune.tuning.record import PRIOR, Phase, Prior, Request, SessionRecord
from llmtune.tuning.search import best_of
from llmtune.tuning.store import SessionStore
from llmtune.tuning.terms import difference
from optimizers.warm_start import Proposal


def earlier_sessions(store: SessionStore, ids: str) -> list[SessionRecord]:
    """The stored sessions of these ids, each once.

    Args:
        ids: with commas between them.

    Raises:
        UsageError: there is no id.
        SessionError: there is no such session.
    """
    names = ids.replace(",", " ").split()
    if not names:
        raise UsageError("--prior names no session; `llmtune sessions` has their ids")
    found = [store.summary(name).record for name in names]
    return list({one.id: one for one in found}.values())


def prior_of(
    store: SessionStore, ids: str, evaluator: Evaluator, request: Request
) -> tuple[Prior, ...]:
    """The search trials of stored sessions, at whose pace a session with them goes on.

    Args:
        ids: as for `earlier_sessions`; all trials are told at the pace of the first that knows one.
        request: for the session that starts from them.

    Raises:
        UsageError: one tuned something else, with the difference named, or has no trials.
        SessionError: there is no such session.
    """
    new = new_record(evaluator, request)
    known = [
        observation
        for earlier in earlier_sessions(store, ids)
        for observation in _observations(store, earlier, new)
    ]
    pace = next((one.pace for one in known if one.pace), None)
    return tuple(known if pace is None else [one.held_against(pace.reference_s) for one in known])


def _observations(
    store: SessionStore, earlier: SessionRecord, new: SessionRecord
) -> Sequence[Prior]:
    differs = difference(earlier, new)
    if differs is not None:
        raise UsageError(
            f"session {earlier.id} says nothing of this one, for they differ in {differs}"
        )
    journal = [entry.trial for entry in store.journal(earlier.id) if entry.phase is Phase.SEARCH]
    if not journal:
        raise UsageError(f"session {earlier.id} has no search trial to start from")
    return [
        Prior(earlier.id, one.configuration, one.status, one.value, one.pace, one.query_times)
        for one in journal
    ]


def prior_proposals(prior: tuple[Prior, ...], evaluator: Evaluator) -> tuple[Proposal, ...]:
    """The prior's best configuration: what was measured before counts here once it is again."""
    best = best_of((one.trial for one in prior), evaluator.objective)
    return () if best is None else (Proposal(PRIOR, best.configuration),)
