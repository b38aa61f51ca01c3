"""What a server says about its settings; ALTER SYSTEM on them, and reloading."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from llmtune.errors import ConnectionFailed, TargetError
from llmtune.knobs.catalogue import SettingRow
from llmtune.knobs.configuration import Value
from llmtune.postgres.target import Connection

IN_FORCE = """
    SELECT name, setting, boot_val, vartype, source IN ('default', 'override')
    FROM pg_settings WHERE name = ANY(%s)
"""
DESCRIPTION = """
    SELECT name, vartype, unit, min_val, max_val, enumvals, boot_val, context FROM pg_settings
"""
ALTERED = "SELECT count(*) FROM pg_settings WHERE sourcefile LIKE '%/postgresql.auto.conf'"
FROM_ALTER_SYSTEM = """
    SELECT DISTINCT ON (name) name, setting FROM pg_file_settings
    WHERE sourcefile LIKE '%%/postgresql.auto.conf' AND name = ANY(%s)
    ORDER BY name, seqno DESC
"""

UNREAD_LINE = """
    SELECT sourcefile, sourceline, error FROM pg_file_settings
    WHERE name IS NULL AND sourcefile IS NOT NULL
"""
"""Where the server stops reading; a row without a place is of a setting whose line is gone."""
UNREADABLE = "SELECT sourcefile, sourceline, error FROM pg_file_settings WHERE error IS NOT NULL"
"""What tells its owner which line keeps a server from loading its files."""

RELOAD_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class ServerSetting:
    """One row of `pg_settings`.

    Attributes:
        value: what is in force for new sessions, in the setting's own unit.
        boot: the value compiled in, which holds where nothing sets another.
        untouched: whether it is in force because nobody set it; the server may
            still have computed `value` where `boot` says so (`wal_buffers`).
    """

    name: str
    value: Value
    boot: Value
    untouched: bool

    @property
    def asked(self) -> Value:
        """What was asked for: `boot` in place of what the server made of it."""
        return self.boot if self.untouched else self.value


def settings_rows(connection: Connection) -> list[SettingRow]:
    """The server's description of all its settings, for the catalogue's check."""
    rows = connection.execute(DESCRIPTION).fetchall()
    return [
        SettingRow(name, vartype, unit, low, high, tuple(words) if words else None, boot, context)
        for name, vartype, unit, low, high, words, boot, context in rows
    ]


def read_settings(connection: Connection, names: Iterable[str]) -> dict[str, ServerSetting]:
    """The settings of these names that the server has."""
    rows = connection.execute(IN_FORCE, [list(names)]).fetchall()
    return {
        name: ServerSetting(name, parse_value(now, vartype), parse_value(boot, vartype), untouched)
        for name, now, boot, vartype, untouched in rows
    }


def read_altered(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """What stands in ALTER SYSTEM's file, in force already or not.

    Takes a superuser or a grant, as ALTER SYSTEM itself does.

    Raises:
        TargetError: a line before it cannot be read, and the server looks no further: what is
            there would seem not to be.
    """
    unread = connection.execute(UNREAD_LINE).fetchone()
    if unread is not None:
        file, line, error = unread
        raise TargetError(
            f"the server cannot read its configuration files: {file}, line {line}: {error}; "
            "mend that first"
        )
    rows = connection.execute(FROM_ALTER_SYSTEM, [list(names)]).fetchall()
    return {name: setting for name, setting in rows if setting is not None}


def has_altered(connect: Callable[[], Connection], in_file: Callable[[], bool]) -> bool:
    """Whether ALTER SYSTEM's file, or the server from it, has any setting; so too if it is down.

    Args:
        in_file: whether the file of the data folder has any.
    """
    try:
        with connect() as connection:
            in_force = connection.execute(ALTERED).fetchone() != (0,)
    except (ConnectionFailed, psycopg.OperationalError):
        return True
    return in_force or in_file()


def jit_available(connection: Connection) -> bool:
    """Whether the server can compile expressions: it has the library, and `jit` is on."""
    return connection.execute("SELECT pg_jit_available()").fetchone() == (True,)


def alter_system(connection: Connection, name: str, text: str | None) -> None:
    """Put one setting into ALTER SYSTEM's file; None takes it out."""
    connection.execute(alter_statement(name, text))


def alter_statement(name: str, text: str | None) -> sql.Composed:
    """The statement that `alter_system` executes."""
    setting = sql.Identifier(name)
    if text is None:
        return sql.SQL("ALTER SYSTEM RESET {}").format(setting)
    return sql.SQL("ALTER SYSTEM SET {} = {}").format(setting, sql.Literal(text))


def reload_settings(connection: Connection) -> None:
    """Make the server read its files again, and wait until it did.

    A line that it cannot read, or with a name that it does not know, keeps it from
    taking anything from any of its files.

    Raises:
        TargetError: this login may not, or the server did not.
    """
    loaded = "SELECT pg_conf_load_time()"
    before = connection.execute(loaded).fetchone()
    try:
        connection.execute("SELECT pg_reload_conf()")
    except psycopg.errors.InsufficientPrivilege as error:
        raise TargetError(
            "this login may not reload the server's settings; "
            "GRANT EXECUTE ON FUNCTION pg_reload_conf() to it"
        ) from error
    deadline = time.monotonic() + RELOAD_PATIENCE_S
    while connection.execute(loaded).fetchone() == before:
        if time.monotonic() > deadline:
            raise TargetError(
                f"the server did not load its configuration files within {RELOAD_PATIENCE_S:g} s; "
                f"where a line of theirs is to blame, this names it: {UNREADABLE}"
            )
        time.sleep(0.002)


def setting_text(value: Value) -> str:
    """The value as SET takes it; a bare number counts in the setting's own unit."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return repr(value) if isinstance(value, float) else str(value)


def parse_value(text: str, vartype: str) -> Value:
    """A text of `pg_settings` as a value of its `vartype`."""
    if vartype == "bool":
        return text == "on"
    if vartype == "integer":
        return int(text)
    return float(text) if vartype == "real" else text


def same_value(left: Value, right: Value) -> bool:
    """Whether the server would treat them alike; it prints reals with 6 digits."""
    if isinstance(left, str) or isinstance(right, str):
        return str(left).lower() == str(right).lower()
    return math.isclose(left, right, rel_tol=1e-5, abs_tol=1e-12)
