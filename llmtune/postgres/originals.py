"""What a server's settings were before us, and putting exactly ours back."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import psycopg

from llmtune.errors import TargetError
from llmtune.knobs.configuration import Value
from llmtune.postgres.server_settings import read_altered, read_settings
from llmtune.postgres.target import Connection

UNSEEN = "(not visible to this role)"
"""In place of an ALTER SYSTEM entry that we may not read and that is not in force: it
waits for a restart, or something outranks it."""

INFERRED = """
    SELECT name, CASE WHEN NOT pending_restart AND source = 'configuration file' THEN setting END
    FROM pg_settings
    WHERE name = ANY(%s) AND (
        pending_restart
        OR source NOT IN ('default', 'override', 'configuration file')
        OR source = 'configuration file'
           AND coalesce(sourcefile, 'postgresql.auto.conf') LIKE '%%postgresql.auto.conf')
"""

REFUSED = """
    SELECT name FROM unnest(%s::text[]) AS asked(name)
    WHERE NOT has_parameter_privilege(name, 'ALTER SYSTEM')
"""
FIRST_WITH_GRANTS = 150000
"""Before that version, ALTER SYSTEM is for superusers alone."""


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """Which server it is.

    Attributes:
        system: its cluster's system identifier; empty where it was not told. A
            standby has its primary's.
        address: the target's name, without a password.
    """

    system: str
    address: str

    @property
    def place(self) -> tuple[str, str]:
        """Host (or the socket's folder) and port: the address without user and database."""
        parts = urlsplit(self.address)
        asked = parse_qs(parts.query)
        match = re.fullmatch(r"(\[.*\]|[^:]*):?(.*)", parts.netloc.rpartition("@")[2])
        host, port = match.groups() if match else (parts.netloc, "")
        return host or asked.get("host", [""])[0], port or asked.get("port", ["5432"])[0]

    def may_be(self, other: ServerIdentity) -> bool:
        """Whether both are the same server, or copies of one cluster."""
        if self.system and other.system:
            return self.system == other.system
        return self.place == other.place


@dataclass(frozen=True, slots=True)
class Original:
    """What a knob was before us.

    Attributes:
        value: what was asked for, in the setting's own unit.
        altered: ALTER SYSTEM's text for it, if there was one.
    """

    value: Value
    altered: str | None


@dataclass(frozen=True, slots=True)
class Originals:
    """The settings of one server before its first change."""

    server: ServerIdentity
    settings: Mapping[str, Original]


@dataclass(frozen=True, slots=True)
class Change:
    """An ALTER SYSTEM entry about to change; None: there is none."""

    now: str | None
    next: str | None


class Journal(Protocol):
    """Is told of every change before it is made; what it returns from is durable."""

    def before(self, originals: Originals, changes: Mapping[str, Change]) -> None:
        """Keep what is needed to take the changes back.

        Raises:
            SessionError: it cannot be kept; then nothing is changed.
            TargetError: an entry is neither the original one nor ours.
        """
        ...


class Unjournalled:
    """For a throw-away server: leaving its target clears every setting anyway."""

    def before(self, originals: Originals, changes: Mapping[str, Change]) -> None:
        """Keep nothing."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A knob that we may have changed.

    Attributes:
        ours: the entries that we may have given it; empty: never touched.
    """

    original: Original
    ours: tuple[str | None, ...] = field(default=())


class Standing(Enum):
    """Whose entry a knob has now."""

    ORIGINAL = "original"
    OURS = "ours"
    FOREIGN = "foreign"


def standing(touched: Touched, now: str | None) -> Standing:
    """Whose the ALTER SYSTEM entry `now` of a touched knob is."""
    return whose(now, touched.original.altered, touched.ours)


def whose(now: str | None, original: str | None, ours: Iterable[str | None]) -> Standing:
    """Whose an ALTER SYSTEM entry is; one that cannot be seen is taken for ours."""
    if same_text(now, original):
        return Standing.ORIGINAL
    if now == UNSEEN or any(same_text(now, text) for text in ours):
        return Standing.OURS
    return Standing.FOREIGN


def same_text(left: str | None, right: str | None) -> bool:
    """Whether two entries are the same; numbers may be printed differently."""
    if left is None or right is None or left == right:
        return left == right
    try:
        return math.isclose(float(left), float(right), rel_tol=1e-5, abs_tol=1e-12)
    except ValueError:
        return False


def read_originals(connection: Connection, names: Iterable[str], address: str) -> Originals:
    """The settings of these names as they are now.

    Raises:
        TargetError: the server lacks one of them.
    """
    names = tuple(names)
    settings = read_settings(connection, names)
    missing = [name for name in names if name not in settings]
    if missing:
        raise TargetError(f"the server has no setting {', '.join(missing)}")
    altered = read_entries(connection, names)
    found = {name: Original(settings[name].asked, altered.get(name)) for name in names}
    return Originals(read_identity(connection, address), found)


def read_identity(connection: Connection, address: str) -> ServerIdentity:
    """Which server this is."""
    try:
        row = connection.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        row = None
    return ServerIdentity("" if row is None else str(row[0] % 2**64), address)


def read_entries(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """What stands in ALTER SYSTEM's file, loaded already or not.

    A role that may not read the file is told what follows from the settings in
    force: right once the file was loaded, and where even their source is hidden, a
    value from any configuration file counts as an entry, since writing it back
    changes nothing. An entry that may be there but is not in force is `UNSEEN`.
    """
    names = tuple(names)
    try:
        return read_altered(connection, names)
    except psycopg.errors.InsufficientPrivilege:
        rows = connection.execute(INFERRED, [list(names)]).fetchall()
        return {name: UNSEEN if text is None else text for name, text in rows}


def unalterable(connection: Connection, names: Iterable[str]) -> list[str]:
    """Those of the settings that this login may not change with ALTER SYSTEM."""
    names = list(names)
    if connection.info.server_version < FIRST_WITH_GRANTS:
        superuser = connection.execute("SHOW is_superuser").fetchone() == ("on",)
        return [] if superuser else names
    rows = connection.execute(REFUSED, [names])
    return [row[0] for row in rows]
