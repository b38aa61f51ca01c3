"""What a tuner may have left on servers that outlive it: kept before it touches them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from llmtune.errors import SessionError, TargetError
from llmtune.postgres.originals import (
    Change,
    Original,
    Originals,
    ServerIdentity,
    Standing,
    Touched,
    standing,
)
from llmtune.tuning.schema import RestorePointRow, TouchedRow
from llmtune.tuning.short_ids import whole_id
from llmtune.tuning.store import SessionStore, default_url


class PointState(StrEnum):
    """Whether a server has its settings back."""

    DUE = "due"
    PARTIAL = "partial"
    """Back in the file; some are in force only after a restart."""
    RESTORED = "restored"
    KEPT = "kept"
    """The best configuration stays because the user said so."""


OPEN = (PointState.DUE, PointState.PARTIAL)


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """What it takes to put one server back.

    Attributes:
        id: the session's id, or the name of a run without one.
        touched: by knob; those with nothing of `ours` were never changed.
        waiting: the knobs that are back and wait for a restart.
    """

    id: str
    server: ServerIdentity
    state: PointState
    created_at: datetime
    touched: Mapping[str, Touched]
    waiting: tuple[str, ...] = ()

    @property
    def is_due(self) -> bool:
        """Whether something may still be on the server that should not be."""
        return self.state in OPEN


class RestorePoints:
    """The restore points in a session store; every write is on disk when it returns."""

    def __init__(self, store: SessionStore | None = None) -> None:
        """Keep them in `store`; None: in the user's own, opened when it is first needed."""
        self._given = store

    @property
    def _store(self) -> SessionStore:
        if self._given is None:
            self._given = SessionStore()
        return self._given

    @property
    def store_name(self) -> str:
        """The store's, for people and command lines; it is not opened for this."""
        return default_url() if self._given is None else self._given.name

    def point(self, point_id: str) -> RestorePoint:
        """One restore point, by its id or the first letters of it.

        Raises:
            SessionError: the run of this id changed no server that outlives it, or several
                ids begin so.
        """
        with self._store.transaction() as db:
            ids = db.scalars(select(RestorePointRow.id))
            row = db.get(RestorePointRow, whole_id(point_id, ids, self._store.name))
            if row is None:
                raise SessionError(
                    f"{point_id!r} left nothing to restore; the store {self._store.name} "
                    "has no original settings of such a run"
                )
            return _point(db, row)

    def points(self) -> tuple[RestorePoint, ...]:
        """All restore points, newest first."""
        with self._store.transaction() as db:
            rows = db.scalars(select(RestorePointRow).order_by(RestorePointRow.created_at.desc()))
            return tuple(_point(db, row) for row in rows.all())

    def due(self, server: ServerIdentity | None = None) -> tuple[RestorePoint, ...]:
        """Those that are not undone, newest first: of one server, or of all."""
        return tuple(
            one
            for one in self.points()
            if one.is_due and (server is None or one.server.may_be(server))
        )

    def keep(self, point_id: str, originals: Originals) -> RestorePoint:
        """Keep a server's settings before its first change.

        Settings that are kept already and not undone stay as they are: what a
        continued session finds on the server may be its own.
        """
        with self._store.transaction() as db:
            row = db.get(RestorePointRow, point_id)
            if row is None:
                row = RestorePointRow(id=point_id)
                db.add(row)
            if row.state not in OPEN:
                _refresh(db, row, originals)
            db.flush()
            return _point(db, row)

    def intend(self, point_id: str, ours: Mapping[str, Iterable[str | None]]) -> None:
        """Note, before it is done, which entries these knobs may have from us now."""
        with self._store.transaction() as db:
            for name, texts in ours.items():
                row = db.get(TouchedRow, (point_id, name))
                if row is None:
                    raise SessionError(f"restore point {point_id} does not have {name}")
                row.ours = list(texts)

    def mark(self, point_id: str, state: PointState, waiting: Iterable[str] = ()) -> None:
        """Set how far the server is put back."""
        with self._store.transaction() as db:
            row = db.get(RestorePointRow, point_id)
            if row is not None:
                row.state, row.waiting = state, list(waiting)


class TargetJournal:
    """The journal of one run on one server; see `llmtune.postgres.originals.Journal`."""

    def __init__(self, points: RestorePoints, point_id: str) -> None:
        """Keep what this run does under `point_id`."""
        self.point_id = point_id
        self._points = points
        self._touched: dict[str, Touched] | None = None

    def before(self, originals: Originals, changes: Mapping[str, Change]) -> None:
        """Keep the originals once, and what the entries are about to become."""
        if self._touched is None:
            self._touched = dict(self._points.keep(self.point_id, originals).touched)
        touched = self._touched
        for name, change in changes.items():
            if standing(touched[name], change.now) is Standing.FOREIGN:
                raise TargetError(
                    f"somebody else set {name} to {change.now or 'its default'} with ALTER SYSTEM "
                    "while it was tuned; it is left alone and the tuning ends here"
                )
        ours = {name: tuple({one.now, one.next}) for name, one in changes.items()}
        self._points.intend(self.point_id, ours)
        for name, texts in ours.items():
            touched[name] = Touched(touched[name].original, texts)


def _refresh(db: Session, row: RestorePointRow, originals: Originals) -> None:
    row.created_at = datetime.now(UTC)
    row.system, row.address = originals.server.system, originals.server.address
    row.state, row.waiting = PointState.DUE, []
    db.flush()
    for old in db.scalars(select(TouchedRow).where(TouchedRow.point_id == row.id)):
        db.delete(old)
    db.flush()
    for name, original in originals.settings.items():
        db.add(TouchedRow(point_id=row.id, name=name, original=asdict(original), ours=[]))


def _point(db: Session, row: RestorePointRow) -> RestorePoint:
    query = select(TouchedRow).where(TouchedRow.point_id == row.id).order_by(TouchedRow.name)
    return RestorePoint(
        id=row.id,
        server=ServerIdentity(row.system, row.address),
        state=PointState(row.state),
        created_at=row.created_at,
        touched={one.name: _touched(one) for one in db.scalars(query)},
        waiting=tuple(row.waiting),
    )


def _touched(row: TouchedRow) -> Touched:
    """Older rows also tell where a value came from, which nothing asks for."""
    return Touched(Original(row.original["value"], row.original["altered"]), tuple(row.ours))
