"""ALTER SYSTEM's file, edited from outside: for a server that is down.

The format is that of `postgresql.conf`: https://www.postgresql.org/docs/current/config-setting.html
Only lines of the settings that were asked for are touched; all others come back
byte for byte.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from llmtune.errors import TargetError

FILE = "postgresql.auto.conf"
_LINE = re.compile(
    rb"""^\s*(?P<name>[A-Za-z_][\w.$]*)
         (?:\s*=\s*|\s+)
         (?P<value>'(?:[^'\\]|\\.|'')*'|[^\s\#']+)""",
    re.VERBOSE,
)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def entries(content: bytes, names: Iterable[str]) -> dict[str, str]:
    """The values that the file gives these settings; a later line wins, as in the server."""
    wanted = {name.lower() for name in names}
    found = (_parsed(line) for line in content.splitlines())
    return {name: value for name, value in filter(None, found) if name in wanted}


def edited(content: bytes, changes: Mapping[str, str | None]) -> bytes:
    """The file with these settings at new values; None takes a setting out."""
    kept = [line for line in content.splitlines(True) if _name(line) not in changes]
    added = [_entry(name, text) for name, text in changes.items() if text is not None]
    if added and kept and not kept[-1].endswith((b"\n", b"\r")):
        kept.append(b"\n")
    return b"".join([*kept, *added])


def read_auto_conf(folder: Path) -> bytes:
    """The content of the data folder's file; empty if there is none.

    Raises:
        TargetError: it cannot be read, or is a link, which ALTER SYSTEM never makes.
    """
    path = folder / FILE
    try:
        if path.is_symlink():
            raise TargetError(f"{path} is a link; put its settings back by hand")
        return path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise TargetError(f"cannot read {path}: {error.strerror}; run as its owner") from error


def write_auto_conf(folder: Path, content: bytes) -> None:
    """Replace the file at once, with the owner and the rights that it had.

    Raises:
        TargetError: it cannot be written; the old file is still whole.
    """
    path = folder / FILE
    part = path.with_name(f"{FILE}.llmtune")
    try:
        before = os.lstat(path if path.exists() else folder)
        part.unlink(missing_ok=True)
        _write(part, content, before)
        part.replace(path)
        _sync(folder)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise TargetError(f"cannot write {path}: {error.strerror}; run as its owner") from error


def system_identifier(folder: Path) -> str:
    """The cluster's identifier, as `pg_control_system()` gives it.

    Source: `ControlFileData` in PostgreSQL's `src/include/catalog/pg_control.h`,
    whose first field it is, in the machine's byte order.

    Raises:
        TargetError: this is no data folder that we may read.
    """
    path = folder / "global" / "pg_control"
    try:
        with path.open("rb") as file:
            first = file.read(8)
    except OSError as error:
        raise TargetError(
            f"{folder} is no data folder that can be read ({error.strerror}: {path})"
        ) from error
    if len(first) < 8:
        raise TargetError(f"{path} is damaged: it has {len(first)} bytes")
    return str(int.from_bytes(first, sys.byteorder))


def _write(part: Path, content: bytes, like: os.stat_result) -> None:
    mode = stat.S_IMODE(like.st_mode) & 0o666
    number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(number, "wb") as file:
        if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(number, like.st_uid, like.st_gid)
        os.fchmod(number, mode)
        file.write(content)
        file.flush()
        os.fsync(number)


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _parsed(line: bytes) -> tuple[str, str] | None:
    match = _LINE.match(line)
    if match is None:
        return None
    text = match["value"].decode("utf-8", "surrogateescape")
    return match["name"].decode().lower(), _unquoted(text)


def _name(line: bytes) -> str | None:
    parsed = _parsed(line)
    return parsed[0] if parsed else None


def _unquoted(text: str) -> str:
    if not text.startswith("'"):
        return text
    return re.sub(r"''|\\(.)", lambda m: _unescaped(m[1]), text[1:-1], flags=re.DOTALL)


def _unescaped(character: str | None) -> str:
    return "'" if character is None else _ESCAPES.get(character, character)


def _entry(name: str, text: str) -> bytes:
    """A line as ALTER SYSTEM writes it."""
    quoted = text.replace("\\", "\\\\").replace("'", "''")
    return f"{name} = '{quoted}'\n".encode("utf-8", "surrogateescape")
