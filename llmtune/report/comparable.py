"""Which stored sessions may stand in one comparison, and the arms that they make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from llmtune.errors import UsageError
from llmtune.report.arms import Arm, Run
from llmtune.report.curve import final_values, journal_curve
from llmtune.tuning.record import PRIOR, JournalEntry, Phase, SessionRecord, SessionStatus
from llmtune.tuning.store import SessionSummary

COLD = ("none", "default")
"""Warm starts that propose nothing."""

Stored = tuple[SessionRecord, Sequence[JournalEntry]]


def arms_from(sessions: Sequence[Stored]) -> tuple[Arm, ...]:
    """One arm for each optimizer with each warm start, the cold ones first.

    Raises:
        UsageError: the sessions do not belong together, with the difference named; a seed
            is there twice in one arm; or a session has no search trial.
    """
    check_comparable([record for record, _ in sessions])
    sessions = at_one_pace(sessions)
    runs: dict[tuple[bool, str, str], list[Run]] = defaultdict(list)
    for record, journal in sessions:
        if not any(entry.phase is Phase.SEARCH for entry in journal):
            raise UsageError(f"session {record.id} has no search trial; leave it out")
        key = record.warm_start not in COLD or bool(record.prior), *_kind(record)
        curve, again = journal_curve(record, journal), final_values(record, journal)
        runs[key].append(Run(record.seed, curve, again))
    return tuple(
        Arm(arm_label(optimizer, source), tuple(runs[warm, optimizer, source]), optimizer, not warm)
        for warm, optimizer, source in sorted(runs, key=lambda key: key[0])
    )


def at_one_pace(sessions: Sequence[Stored]) -> Sequence[Stored]:
    """The same sessions, held against the pace of the first that knows one."""
    paces = (entry.trial.pace for _, journal in sessions for entry in journal)
    pace = next(filter(None, paces), None)
    if pace is None:
        return sessions
    return [
        (
            record,
            [replace(one, trial=one.trial.held_against(pace.reference_s)) for one in journal],
        )
        for record, journal in sessions
    ]


def arm_label(optimizer: str, source: str) -> str:
    """For charts and tables."""
    return f"{optimizer}, warm start {source}"


def check_comparable(records: Sequence[SessionRecord]) -> None:
    """Make sure that the sessions tuned the same thing on the same ground.

    Raises:
        UsageError: they did not; the message names two sessions and their difference.
    """
    if not records:
        raise UsageError("there is no session to compare")
    first = records[0]
    for other in records[1:]:
        for what, one, two in _terms(first, other):
            if one != two:
                raise UsageError(
                    f"sessions {first.id} and {other.id} cannot be compared: "
                    f"their {what} differ: {_named(one, two)}"
                )


def _kind(record: SessionRecord) -> tuple[str, str]:
    """The optimizer and what it started from; `tune --prior` keeps its warm start beside that."""
    told = bool(record.prior) and record.warm_start != PRIOR
    return record.optimizer, f"{record.warm_start} with prior" if told else record.warm_start


def _terms(one: SessionRecord, two: SessionRecord) -> Iterable[tuple[str, object, object]]:
    yield "targets", one.target, two.target
    yield "workloads", one.workload, two.workload
    yield "hardware", str(one.hardware), str(two.hardware)
    yield "server versions", one.server_version, two.server_version
    yield "knob catalogues", one.catalogue_hash, two.catalogue_hash
    yield "knobs", frozenset(one.knobs), frozenset(two.knobs)
    yield "objectives", str(one.objective), str(two.objective)


def _named(one: object, two: object) -> str:
    """Both values; of two sets only what one of them has alone."""
    if isinstance(one, frozenset) and isinstance(two, frozenset):
        return f"only one of them has {', '.join(sorted(one ^ two))}"
    return f"{one} and {two}"


def interrupted(sessions: Iterable[SessionSummary]) -> tuple[str, ...]:
    """A note for each session that has not made all of its trials."""
    return tuple(
        f"session {one.record.id} ({one.record.optimizer}, seed {one.record.seed}) is "
        f"{one.status}: its curve stops early"
        for one in sessions
        if one.status is not SessionStatus.FINISHED
    )
