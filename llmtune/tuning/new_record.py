"""The record of a session that is about to begin."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

from llmtune.benchmark.evaluator import Evaluator
from llmtune.tuning.ground import ground_of
from llmtune.tuning.record import Prior, Request, SessionRecord
from optimizers.warm_start import Proposal


def new_id() -> str:
    """A session's id that no other has."""
    return uuid.uuid4().hex[:12]


def new_record(
    evaluator: Evaluator,
    request: Request,
    proposals: Sequence[Proposal] = (),
    suggest_s: float = 0.0,
    session_id: str | None = None,
    prior: Sequence[Prior] = (),
) -> SessionRecord:
    """The record of a new session.

    Args:
        prior: what the optimizer is told before its first ask.
        session_id: from `new_id`; None: a new one.
        proposals: what to try after the default and before the optimizer's own.
        suggest_s: seconds that making them took.
    """
    space = evaluator.space
    return SessionRecord(
        id=session_id or new_id(),
        target=request.target,
        workload=request.workload,
        hardware=space.hardware,
        server_version=space.version,
        catalogue_hash=space.catalogue_hash,
        knobs=tuple(space.names),
        objective=evaluator.objective,
        optimizer=request.optimizer,
        warm_start=request.warm_start,
        seed=request.seed,
        plan=request.plan,
        proposals=tuple(proposals),
        suggest_s=suggest_s,
        prior=tuple(prior),
        origin=replace(request.origin, ground=ground_of(space)),
    )
