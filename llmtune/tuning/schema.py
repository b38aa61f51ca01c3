"""The session store's tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA_VERSION = 3
"""2: restore points. A store of version 1 only lacks their tables. 3: the pace of trials."""


class Base(DeclarativeBase):
    """Base of the store's tables."""


class MetaRow(Base):
    """One row: which schema the file has."""

    __tablename__ = "store_meta"

    id: Mapped[int] = mapped_column(primary_key=True)
    schema_version: Mapped[int]


class SessionRow(Base):
    """One tuning session: what is needed to show and to continue it."""

    __tablename__ = "session"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    status: Mapped[str] = mapped_column(String(16))
    target: Mapped[str] = mapped_column(String(400))
    workload: Mapped[str] = mapped_column(String(200))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Everything else of the `SessionRecord`, as JSON."""
    message: Mapped[str] = mapped_column(Text, default="")


class TrialRow(Base):
    """One trial of a session, written as soon as it ended."""

    __tablename__ = "trial"
    __table_args__ = (UniqueConstraint("session_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("session.id"), index=True)
    number: Mapped[int]
    phase: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16))
    value: Mapped[float | None]
    wall_s: Mapped[float]
    measured_s: Mapped[float]
    probe_s: Mapped[float | None]
    reference_s: Mapped[float | None]
    """The trial's pace, where it was taken out."""
    ask_s: Mapped[float]
    restart_s: Mapped[float]
    message: Mapped[str] = mapped_column(Text)
    configuration: Mapped[dict[str, Any]] = mapped_column(JSON)
    query_times: Mapped[list[Any]] = mapped_column(JSON)
    finished_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class RestorePointRow(Base):
    """One tuner's work on one server that outlives it, and whether it is undone.

    Files of earlier versions have a column `auto_conf` too, which may be empty.
    """

    __tablename__ = "restore_point"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """The session's id, or the name of a run that has no session."""
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    system: Mapped[str] = mapped_column(String(20), index=True)
    """The server's system identifier; empty where it does not tell."""
    address: Mapped[str] = mapped_column(String(400))
    state: Mapped[str] = mapped_column(String(16))
    waiting: Mapped[list[Any]] = mapped_column(JSON)
    """The knobs that are back in the file and wait for a restart."""


class TouchedRow(Base):
    """A knob of a restore point: what it was, and what we may have given it."""

    __tablename__ = "touched_setting"

    point_id: Mapped[str] = mapped_column(ForeignKey("restore_point.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    original: Mapped[dict[str, Any]] = mapped_column(JSON)
    ours: Mapped[list[Any]] = mapped_column(JSON)
