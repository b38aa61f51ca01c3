"""What a stored session goes on with: its target, its workload, its folder, the same queries."""

from __future__ import annotations

from pathlib import Path

from llmtune.errors import SessionError
from llmtune.tuning.origin import query_digest
from llmtune.tuning.record import SessionRecord
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from workloads.workload import AnyWorkload


def requests_of(record: SessionRecord) -> tuple[TargetRequest, WorkloadRequest, Path]:
    """How the target and the workload of a session of `llmtune tune` are opened, and its folder.

    Raises:
        SessionError: the session was not started by `llmtune tune`.
    """
    origin = record.origin
    if origin.out is None:
        raise SessionError(
            f"session {record.id} was not started by `llmtune tune`; one of a comparison takes "
            "turns with the others: call the same `llmtune compare` again, with its --out"
        )
    try:
        options = origin.workload_options()
    except KeyError as error:
        raise _untold(record, str(error)) from error
    if origin.target is None or origin.workload is None:
        raise _untold(record, "'target'" if origin.target is None else "'workload'")
    return origin.target, WorkloadRequest(origin.workload, options), origin.out


def check_queries(record: SessionRecord, present: AnyWorkload) -> None:
    """Make sure that a session goes on with the queries that it measured so far.

    Sessions from before the queries were kept, and those that watch traffic, do not
    say which they are.

    Raises:
        SessionError: they are others.
    """
    stored, now = record.origin.queries, query_digest(present)
    if stored not in (None, now):
        raise SessionError(
            f"session {record.id} cannot go on: it measured other queries (digest {stored}) than "
            f"{present.name} has now ({now}), since a file was changed or others of them fail; "
            "put them back, or start a new session"
        )


def _untold(record: SessionRecord, what: str) -> SessionError:
    return SessionError(
        f"session {record.id} does not say how to open its target again (no {what})"
    )
