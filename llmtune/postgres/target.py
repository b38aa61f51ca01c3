"""How we reach and control one PostgreSQL instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import psycopg

from llmtune.errors import UnsupportedServer
from llmtune.knobs.catalogue import FIRST_VERSION, LAST_VERSION
from llmtune.knobs.hardware import Hardware

Connection = psycopg.Connection[tuple[Any, ...]]
"""A connection in autocommit mode whose rows are plain tuples."""


class Target(Protocol):
    """One instance: embedded, in a container, or behind a DSN.

    A target is a context manager. Leaving it, for whatever reason, puts the
    original settings back; a target that started its server stops it too.
    """

    @property
    def name(self) -> str:
        """For people and result files; holds no password."""
        ...

    @property
    def version(self) -> int:
        """The server's major version, such as 18."""
        ...

    @property
    def hardware(self) -> Hardware:
        """What the server may use, container and cgroup limits respected."""
        ...

    @property
    def can_restart(self) -> bool:
        """Whether `restart` is allowed and possible."""
        ...

    @property
    def restart_seconds(self) -> float:
        """Seconds spent in `restart` so far."""
        ...

    def connect(
        self, database: str | None = None, settings: Mapping[str, str] | None = None
    ) -> Connection:
        """Open an autocommit connection.

        Args:
            database: None means the target's own or maintenance database.
            settings: session-level settings in force from the first statement.

        Raises:
            ConnectionFailed: nothing answers or the login is refused.
        """
        ...

    def libpq_environment(self, database: str) -> dict[str, str]:
        """Environment variables with which libpq's programs, such as pgbench, log in.

        A password goes this way and not on a command line, which every user can see.
        """
        ...

    def restart(self) -> None:
        """Restart the server and wait until it answers.

        Raises:
            ServerDidNotStart: it does not come up; its log's tail is attached.
        """
        ...

    def recover(self) -> None:
        """Undo at file level whatever LLMTune set, and bring the server back up.

        Works when the server is down; does nothing more than needed when it is up.

        Raises:
            ServerDidNotStart: it does not come up on its original settings either.
        """
        ...


@runtime_checkable
class ExplainsLoss(Protocol):
    """A target that can see from outside why its server went away."""

    def explain_loss(self) -> str:
        """Why connections were lost since this was last asked; empty if it cannot be seen.

        To be asked before `recover`, which may remove what tells it.
        """
        ...


@runtime_checkable
class NotesEntries(Protocol):
    """A target that outlives us: of its settings it puts back what we changed, and no others."""

    def note_entries(self, ours: Mapping[str, Sequence[str | None]]) -> None:
        """Which ALTER SYSTEM entries these knobs may have from us from now on.

        To be told before they are changed.

        Args:
            ours: for each knob the texts, the one that it is about to get the last; None
                among them: no entry.
        """
        ...


@runtime_checkable
class Exclusive(Protocol):
    """A target that others can reach too: one tuner at a time, by a lock."""

    def hold(self) -> None:
        """Make sure that no other tuner works on it.

        A restart lets go of the lock, and so does the loss of the connection that has it.

        Raises:
            TargetError: another one does.
            ConnectionFailed: the server does not answer.
        """
        ...

    def kept(self) -> AbstractContextManager[Connection]:
        """The connection that has the lock, which stays open; held again if it was lost.

        Raises:
            As `hold`.
        """
        ...


def kept(target: Target) -> AbstractContextManager[Connection]:
    """A connection for what must not wait until the server has a place for another one.

    Sessions pile up under settings that harm, and so take all places just when those
    are to be taken back.
    """
    return target.kept() if isinstance(target, Exclusive) else target.connect()


def hold(target: Target) -> None:
    """Make sure that no other tuner works on the target; see `Exclusive.hold`."""
    if isinstance(target, Exclusive):
        target.hold()


def why_lost(target: Target) -> str:
    """Why the target's server went away, as far as it can be seen from outside."""
    return target.explain_loss() if isinstance(target, ExplainsLoss) else ""


def check_version(major: int) -> None:
    """Refuse a server whose version the knob catalogue does not cover.

    Raises:
        UnsupportedServer: its major version is one too old or too new.
    """
    if not FIRST_VERSION <= major <= LAST_VERSION:
        raise UnsupportedServer(
            f"the server is PostgreSQL {major}; "
            f"LLMTune covers versions {FIRST_VERSION} to {LAST_VERSION}"
        )
