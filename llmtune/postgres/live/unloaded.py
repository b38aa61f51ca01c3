"""What stands in a server's configuration files and waits for a reload of somebody's.

The first reload of ours would put it in force for everybody, as would a restart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import psycopg

from llmtune.errors import TargetError, UsageError
from llmtune.postgres.server_settings import same_value
from llmtune.postgres.target import Connection
from llmtune.units import parse_setting

IN_FORCE = """
    SELECT name, setting, boot_val, vartype, unit, enumvals, source = 'default',
           sourcefile, sourceline
    FROM pg_settings
    WHERE NOT pending_restart
      AND source IN ('default', 'environment variable', 'configuration file')
    ORDER BY name
"""
"""What outranks the files is not changed by loading them, and what waits for a restart is
loaded already. A session that has looked at `pg_file_settings` calls more things pending, since
that tries the files as a reload does; so this has to be asked first."""

IN_FILES = """
    SELECT lower(name), setting, sourcefile, sourceline FROM pg_file_settings ORDER BY seqno
"""

_ON, _OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")


@dataclass(frozen=True, slots=True)
class Unloaded:
    """A setting that the files give another value than is in force; which may be a secret.

    Attributes:
        place: file and line; of a line that is gone, that it is.
    """

    name: str
    place: str

    def __str__(self) -> str:
        return f"{self.name} ({self.place})"


@dataclass(frozen=True, slots=True)
class _InForce:
    """One row of `IN_FORCE`.

    Attributes:
        untouched: nothing has set it so far, so that `boot` is what is asked for.
        file, line: where its value was read from, as far as that can be seen.
    """

    name: str
    now: str
    boot: str | None
    kind: str
    unit: str | None
    words: list[str] | None
    untouched: bool
    file: str | None
    line: int | None


@dataclass(frozen=True, slots=True)
class _Line:
    """One row of `IN_FILES`."""

    text: str
    file: str
    line: int


def read_unloaded(connection: Connection) -> tuple[Unloaded, ...]:
    """What the next reload would change; nothing for a role that may not read the files.

    To be asked on a session that has not looked at the files yet.
    """
    settings = [_InForce(*row) for row in connection.execute(IN_FORCE)]
    try:
        rows = connection.execute(IN_FILES).fetchall()
    except psycopg.errors.InsufficientPrivilege:
        return ()
    if any(name is None for name, *_ in rows):
        return ()  # a line that cannot be read: a reload takes nothing, and says so
    lines = {name: _Line(*rest) for name, *rest in rows}  # the last one of a name counts
    found = ((one.name, _change(one, lines.get(one.name.lower()))) for one in settings)
    return tuple(Unloaded(name, place) for name, place in found if place)


def refuse_unloaded(connection: Connection, names: Iterable[str]) -> None:
    """Make sure that what these settings are now is not ended by our first reload.

    Raises:
        TargetError: it would be, for one at least.
    """
    found = [one for one in read_unloaded(connection) if one.name in set(names)]
    if found:
        raise TargetError(unloaded_text(found))


def unloaded_text(found: Iterable[Unloaded]) -> str:
    """What is wrong with them, and what to do."""
    return (
        f"the server's files hold changes that are not loaded: {', '.join(map(str, found))}; the "
        "first reload would put them in force for everybody. Load them (SELECT pg_reload_conf()), "
        "or take them back, and start again"
    )


def _change(now: _InForce, line: _Line | None) -> str:
    """Where the files ask for something else; empty where they do not."""
    if line is None:
        return "" if now.untouched else "its line is gone"
    return "" if _loaded(now, line) else f"{line.file}, line {line.line}"


def _loaded(now: _InForce, line: _Line) -> bool:
    """Whether a reload would change nothing; where texts cannot be compared, by their place."""
    asked = [now.now, *([now.boot] if now.untouched and now.boot is not None else [])]
    verdicts = [_same(line.text, value, now) for value in asked]
    if True in verdicts:
        return True
    if None not in verdicts:
        return False
    same_place = now.file is None or (now.file, now.line) == (line.file, line.line)
    return same_place and not now.untouched


def _same(text: str, value: str, now: _InForce) -> bool | None:
    """Whether a line's text means the value; None: the server may have made it of the text."""
    if text.lower() == value.lower():
        return True
    match now.kind:
        case "bool":
            return _switched(text) == value
        case "integer" | "real":
            return _same_number(text, value, now)
        case "enum":
            return _same_word(text, value, now.words or [])
    return None


def _same_number(text: str, value: str, now: _InForce) -> bool | None:
    try:
        number = parse_setting(text, now.unit)
    except (UsageError, KeyError):  # octal, hexadecimal, a unit that we do not know
        return None
    if now.kind == "integer":
        return abs(number - Decimal(value)) <= Decimal("0.5")
    return same_value(float(number), float(value))


def _same_word(text: str, value: str, words: list[str]) -> bool | None:
    """Of an enum some texts are but other names of a value, `on` among them."""
    meant = _switched(text)
    if meant == value:
        return True
    return False if meant in words and meant != "on" else None


def _switched(text: str) -> str:
    """`on` or `off` where the text means that: the server takes each word's beginning too."""
    word = text.lower()
    for switch in (_ON, _OFF):
        if word in switch or ((len(word) > 1 or word in "tyfn") and _begins(word, switch)):
            return switch[0]
    return word


def _begins(word: str, switch: Iterable[str]) -> bool:
    return any(one.startswith(word) for one in switch)
