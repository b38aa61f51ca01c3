"""The session store: the journal that every session can be replayed from."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from platformdirs import user_data_path
from sqlalchemy import create_engine, event, func, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from llmtune.errors import SessionError, UsageError
from llmtune.secrets import redacted
from llmtune.tuning.private_file import make_private_file, make_private_folder
from llmtune.tuning.record import JournalEntry, SessionRecord, SessionStatus
from llmtune.tuning.rows import journal_entry, trial_row
from llmtune.tuning.schema import (
    SCHEMA_VERSION,
    Base,
    MetaRow,
    SessionRow,
    TrialRow,
)
from llmtune.tuning.short_ids import whole_id


def default_url() -> str:
    """An SQLite file in the user's data folder."""
    return f"sqlite:///{user_data_path('llmtune') / 'sessions.db'}"


def store_option(name: str) -> str:
    """What a command line needs, behind a blank, to find the store of this name; or nothing."""
    return "" if name == default_url() else f" --store {shlex.quote(name)}"


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """One stored session in a list.

    Attributes:
        message: why it was interrupted; else empty.
    """

    record: SessionRecord
    status: SessionStatus
    created_at: datetime
    trials: int
    message: str


class SessionStore:
    """Sessions and their trials in one database; `RestorePoints` keeps its own in it too.

    Every write is its own committed transaction: what was journalled before the
    process was killed is there afterwards.
    """

    def __init__(self, url: str | None = None) -> None:
        url = url or default_url()
        self.name = redacted(url)
        self._engine = _engine(url)
        with self.transaction() as db:
            Base.metadata.create_all(db.connection())
            _check_schema(db, self.name)

    def close(self) -> None:
        """Close all connections to the database."""
        self._engine.dispose()

    def create(self, record: SessionRecord) -> None:
        """Add a session, as RUNNING.

        Raises:
            SessionError: the id is taken, or the database cannot be written.
        """
        with self.transaction() as db:
            db.add(_session_row(record, SessionStatus.RUNNING))

    def keep(self, record: SessionRecord, journal: Iterable[JournalEntry]) -> None:
        """Add a session that was finished elsewhere, with its whole journal or not at all.

        Raises:
            SessionError: the id is taken, or the database cannot be written.
        """
        with self.transaction() as db:
            db.add(_session_row(record, SessionStatus.FINISHED))
            db.add_all(trial_row(record.id, entry) for entry in journal)

    def mark(self, session_id: str, status: SessionStatus, message: str = "") -> None:
        """Set where the session stands, and why."""
        with self.transaction() as db:
            row = self._row(db, session_id)
            row.status, row.message = status, message

    def change_optimizer(self, session_id: str, optimizer: str) -> None:
        """Let another optimizer go on with the session."""
        with self.transaction() as db:
            row = self._row(db, session_id)
            row.facts = {**row.facts, "optimizer": optimizer}

    def append(self, session_id: str, entry: JournalEntry) -> None:
        """Journal one finished trial.

        Raises:
            SessionError: this number is journalled already, by another process.
        """
        with self.transaction() as db:
            db.add(trial_row(session_id, entry))

    def summary(self, session_id: str) -> SessionSummary:
        """One session, by its id or by as many of its first letters as no other has.

        Raises:
            SessionError: there is none, or more than one.
        """
        with self.transaction() as db:
            whole = whole_id(session_id, db.scalars(select(SessionRow.id)), self.name)
            trials = select(func.count()).where(TrialRow.session_id == whole)
            return _summary(self._row(db, whole), db.scalar(trials) or 0)

    def sessions(self) -> tuple[SessionSummary, ...]:
        """All sessions, newest first."""
        with self.transaction() as db:
            counted = select(TrialRow.session_id, func.count()).group_by(TrialRow.session_id)
            trials = {row[0]: row[1] for row in db.execute(counted)}
            rows = db.scalars(select(SessionRow).order_by(SessionRow.created_at.desc()))
            return tuple(_summary(row, trials.get(row.id, 0)) for row in rows)

    def journal(self, session_id: str) -> tuple[JournalEntry, ...]:
        """The session's trials in the order in which they ended."""
        with self.transaction() as db:
            self._row(db, session_id)
            query = select(TrialRow).where(TrialRow.session_id == session_id)
            return tuple(journal_entry(row) for row in db.scalars(query.order_by(TrialRow.number)))

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction, committed and on disk when the block is left without an error.

        Raises:
            SessionError: the database cannot be used, or says that it is there already.
        """
        try:
            with Session(self._engine) as db, db.begin():
                yield db
        except IntegrityError as error:
            raise SessionError(
                f"the store {self.name} has this session or trial already; "
                "does another process run the same session?"
            ) from error
        except SQLAlchemyError as error:
            reason = str(error).splitlines()[0]
            raise SessionError(f"the session store {self.name} cannot be used: {reason}") from error

    def _row(self, db: Session, session_id: str) -> SessionRow:
        row = db.get(SessionRow, session_id)
        if row is None:
            raise SessionError(f"no session {session_id!r} in the store {self.name}")
        return row


def _session_row(record: SessionRecord, status: SessionStatus) -> SessionRow:
    return SessionRow(
        id=record.id,
        created_at=datetime.now(UTC),
        status=status,
        target=record.target,
        workload=record.workload,
        facts=record.facts(),
    )


def _engine(url: str) -> Engine:
    try:
        engine = create_engine(url)
    except (ArgumentError, ImportError, SQLAlchemyError) as error:
        reason = f"{redacted(url)!r} is not a database URL that can be opened"
        raise UsageError(f"{reason}: {error}") from error
    if engine.dialect.name == "sqlite":
        _make_private(engine.url.database)
        event.listen(engine, "connect", _careful)
    return engine


def _make_private(database: str | None) -> None:
    if database not in (None, "", ":memory:"):
        path = Path(str(database))
        make_private_folder(path.parent)
        make_private_file(path)


def _careful(connection: object, _record: object) -> None:
    """Let two sessions on one SQLite file take turns; keep what is committed on a power cut."""
    connection.execute("PRAGMA busy_timeout = 30000")  # type: ignore[attr-defined]
    connection.execute("PRAGMA synchronous = EXTRA")  # type: ignore[attr-defined]


def _check_schema(db: Session, name: str) -> None:
    meta = db.get(MetaRow, 1)
    if meta is None:
        db.add(MetaRow(id=1, schema_version=SCHEMA_VERSION))
    elif meta.schema_version < SCHEMA_VERSION:
        _add_columns(db, meta.schema_version)  # its new tables were just created
        meta.schema_version = SCHEMA_VERSION
    elif meta.schema_version > SCHEMA_VERSION:
        raise SessionError(
            f"the session store {name} has schema {meta.schema_version}, this version of LLMTune "
            f"reads up to {SCHEMA_VERSION}; use the newer one, or another store"
        )


def _add_columns(db: Session, version: int) -> None:
    """What tables of an older store lack."""
    if version < 3:
        for name in ("probe_s", "reference_s"):
            db.execute(text(f"ALTER TABLE {TrialRow.__tablename__} ADD COLUMN {name} FLOAT"))


def _summary(row: SessionRow, trials: int) -> SessionSummary:
    return SessionSummary(
        record=SessionRecord.from_facts(row.id, row.target, row.workload, row.facts),
        status=SessionStatus(row.status),
        created_at=row.created_at,
        trials=trials,
        message=row.message,
    )
