"""Putting a server's original settings back, whatever ended the tuner that changed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import psycopg

from llmtune.errors import SessionError, TargetError
from llmtune.postgres import auto_conf
from llmtune.postgres.live.auto_conf_file import AutoConfFile, FolderFile
from llmtune.postgres.originals import (
    ServerIdentity,
    Standing,
    Touched,
    read_entries,
    read_identity,
    standing,
)
from llmtune.postgres.server_settings import (
    alter_system,
    read_settings,
    reload_settings,
    same_value,
)
from llmtune.postgres.session import loss_is_failure
from llmtune.postgres.target import Connection, Target, kept
from llmtune.tuning.restore_points import PointState, RestorePoint, RestorePoints

PID_FILE = "postmaster.pid"
PENDING = "SELECT name FROM pg_settings WHERE pending_restart AND name = ANY(%s) ORDER BY name"


@dataclass(frozen=True, slots=True)
class Restored:
    """What restoring did.

    Attributes:
        put_back: the knobs whose original entry is back, in force or waiting.
        foreign: knobs with an entry that is neither ours nor the original: left
            alone; with what they have now (None: no entry).
        waiting: the knobs that are back and in force only after a restart.
        restarted: whether the server was restarted for them.
    """

    point_id: str
    put_back: tuple[str, ...] = ()
    foreign: tuple[tuple[str, str | None], ...] = ()
    waiting: tuple[str, ...] = ()
    restarted: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing of ours is left in force."""
        return not self.waiting


def restore(
    target: Target, points: RestorePoints, point: RestorePoint, *, force: bool = False
) -> Restored:
    """Put the touched knobs back through the server; again is harmless.

    A restart is done if it is needed and the target can.

    Args:
        force: also replace what somebody else set on one of our knobs meanwhile.

    Raises:
        SessionError: the target is another server than the point's.
        TargetError: the server refuses, or is lost, or another tuner works on it; nothing
            is marked then, and the next call goes on.
    """
    with loss_is_failure(), kept(target) as connection:
        here = _check_identity(connection, target, point)
        done = _put_back(connection, point, force=force)
        waiting = _waiting(connection, point, done)
    if here.place != point.server.place and not (done.put_back or waiting or force):
        raise SessionError(
            f"{target.name} has nothing of {point.id}, which changed {point.server.address}; if "
            "this is a copy of that server, give the other's address; else use --force"
        )
    restarted = bool(waiting) and target.can_restart
    if restarted:
        target.restart()
        waiting = ()
    points.mark(point.id, PointState.PARTIAL if waiting else PointState.RESTORED, waiting)
    return Restored(point.id, done.put_back, done.foreign, waiting, restarted)


def restore_files(
    folder: Path, points: RestorePoints, point: RestorePoint, *, force: bool = False
) -> Restored:
    """Put the touched knobs back in the data folder of a server that is down.

    Raises:
        SessionError: the folder is another server's.
        TargetError: the server runs, or its file cannot be read or written.
    """
    file = FolderFile(folder)
    _check_cluster(file, point)
    if _runs(folder):
        raise TargetError(
            f"the server in {folder} runs; restore it through its address, without --pgdata"
        )
    done = mend_file(file, point, force=force)
    # What a crash leaves behind looks like a server that runs in a container.
    waiting = done.put_back if (folder / PID_FILE).exists() else ()
    points.mark(point.id, PointState.PARTIAL if waiting else PointState.RESTORED, waiting)
    return replace(done, waiting=waiting)


def mend_file(file: AutoConfFile, point: RestorePoint, *, force: bool = False) -> Restored:
    """Put the touched knobs back in ALTER SYSTEM's file; nothing is marked.

    Raises:
        SessionError: it is another server's.
        TargetError: it cannot be read or written.
    """
    _check_cluster(file, point)
    content = file.read()
    changes, foreign = _decide(point, auto_conf.entries(content, point.touched), force=force)
    if changes:
        file.write(auto_conf.edited(content, changes))
    return Restored(point.id, tuple(changes), foreign)


def _decide(
    point: RestorePoint, entries: Mapping[str, str], *, force: bool
) -> tuple[dict[str, str | None], tuple[tuple[str, str | None], ...]]:
    """The entries to write, and those to leave to whoever made them."""
    changes, foreign = {}, []
    for name, touched in _ours(point).items():
        now = entries.get(name)
        whose = standing(touched, now)
        if whose is Standing.OURS or (force and whose is Standing.FOREIGN):
            changes[name] = touched.original.altered
        elif whose is Standing.FOREIGN:
            foreign.append((name, now))
    return changes, tuple(foreign)


def _ours(point: RestorePoint) -> dict[str, Touched]:
    return {name: one for name, one in point.touched.items() if one.ours}


def _put_back(connection: Connection, point: RestorePoint, *, force: bool) -> Restored:
    # A tuner killed between altering and reloading left a file that nobody loaded.
    reload_settings(connection)
    changes, foreign = _decide(point, read_entries(connection, point.touched), force=force)
    for name, text in changes.items():
        _alter(connection, name, text)
    if changes:
        reload_settings(connection)
    return Restored(point.id, tuple(changes), foreign)


def _alter(connection: Connection, name: str, text: str | None) -> None:
    try:
        alter_system(connection, name, text)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        reason = error.diag.message_primary
        raise TargetError(
            f"the server refuses to take {name} back: {reason}; run it again with a login that may"
        ) from error


def _waiting(connection: Connection, point: RestorePoint, done: Restored) -> tuple[str, ...]:
    """Those of our knobs that the server will only take back when it restarts."""
    others = {name for name, _ in done.foreign}
    names = [name for name in _ours(point) if name not in others]
    pending = [row[0] for row in connection.execute(PENDING, [names])]
    # The server says "pending" for ever where an entry came and went between two starts.
    now = read_settings(connection, pending)
    return tuple(
        name
        for name in pending
        if not same_value(now[name].asked, point.touched[name].original.value)
    )


def _check_identity(connection: Connection, target: Target, point: RestorePoint) -> ServerIdentity:
    here = read_identity(connection, target.name)
    if not point.server.may_be(here):
        raise SessionError(
            f"{target.name} is another server than {point.server.address}, which "
            f"{point.id} changed; nothing was touched"
        )
    return here


def _check_cluster(file: AutoConfFile, point: RestorePoint) -> None:
    if point.server.system not in ("", file.system()):
        raise SessionError(
            f"this data folder or container is another server's than {point.server.address}, "
            f"which {point.id} changed; nothing was touched"
        )


def _runs(folder: Path) -> bool:
    """Whether the process that the data folder's pid file names is a server.

    The number may be another process's by now, or counted inside a container.
    """
    try:
        number = int((folder / PID_FILE).read_text().split()[0])
        return psutil.Process(number).name() in ("postgres", "postmaster")
    except (OSError, IndexError, ValueError, psutil.Error):
        return False
