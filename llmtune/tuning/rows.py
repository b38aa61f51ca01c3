"""Journal entries as rows of the store and back."""

from __future__ import annotations

from datetime import UTC, datetime

from llmtune.knobs.configuration import Configuration
from llmtune.trial import Pace, QueryTime, Trial, TrialStatus
from llmtune.tuning.record import JournalEntry, Phase
from llmtune.tuning.schema import TrialRow


def trial_row(session_id: str, entry: JournalEntry) -> TrialRow:
    """The row to store, finished now."""
    trial = entry.trial
    return TrialRow(
        session_id=session_id,
        number=trial.number,
        phase=entry.phase,
        source=trial.source,
        status=trial.status,
        value=trial.value,
        wall_s=trial.wall_s,
        measured_s=trial.measured_s,
        probe_s=trial.pace and trial.pace.probe_s,
        reference_s=trial.pace and trial.pace.reference_s,
        ask_s=entry.ask_s,
        restart_s=entry.restart_s,
        message=trial.message,
        configuration=dict(trial.configuration),
        query_times=[_stored_time(time) for time in trial.query_times],
        finished_at=datetime.now(UTC),
    )


def journal_entry(row: TrialRow) -> JournalEntry:
    """The entry that `row` was made from."""
    trial = Trial(
        number=row.number,
        source=row.source,
        configuration=Configuration(row.configuration),
        status=TrialStatus(row.status),
        value=row.value,
        query_times=tuple(QueryTime(*time) for time in row.query_times),
        wall_s=row.wall_s,
        measured_s=row.measured_s,
        message=row.message,
        pace=_pace(row.probe_s, row.reference_s),
    )
    return JournalEntry(Phase(row.phase), trial, row.ask_s, row.restart_s)


def _pace(probe_s: float | None, reference_s: float | None) -> Pace | None:
    return None if probe_s is None or reference_s is None else Pace(probe_s, reference_s)


def _stored_time(time: QueryTime) -> list[str | float | bool]:
    """A third value marks the rare reused time; stores of before have only two."""
    return [time.query_id, time.seconds, *([True] if time.reused else [])]
