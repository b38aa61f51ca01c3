"""The settings that a server has now, where each comes from, and what outranks ALTER SYSTEM."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from psycopg import sql

from llmtune.knobs.configuration import Value
from llmtune.postgres.server_settings import parse_value
from llmtune.postgres.target import Connection
from llmtune.units import format_setting

AUTO_CONF = "postgresql.auto.conf"

READ = """
    SELECT name, setting, boot_val, vartype, unit, context, source, sourcefile, sourceline,
           pending_restart
    FROM pg_settings WHERE name = ANY(%s)
"""
OVERRIDES = """
    SELECT lower(split_part(entry, '=', 1)), substr(entry, strpos(entry, '=') + 1),
           roles.rolname, databases.datname,
           setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
               AND (setdatabase = 0 OR databases.datname = current_database())
    FROM pg_db_role_setting
    CROSS JOIN unnest(setconfig) AS entry
    LEFT JOIN pg_roles AS roles ON roles.oid = setrole
    LEFT JOIN pg_database AS databases ON databases.oid = setdatabase
    WHERE lower(split_part(entry, '=', 1)) = ANY(%s)
    ORDER BY 1, roles.rolname NULLS FIRST, databases.datname NULLS FIRST
"""
OUTRANKING = {
    "command line": "on the server's command line",
    "client": "by this connection's own options (PGOPTIONS, or `options` in the address)",
    "user": "by ALTER ROLE",
    "database": "by ALTER DATABASE",
    "database user": "by ALTER ROLE IN DATABASE",
    "global": "by ALTER ROLE ALL",
}
"""Sources of `pg_settings` that hide an ALTER SYSTEM entry, in words.
Source: `GucSource` in PostgreSQL's `src/include/utils/guc.h`, in rising rank."""


@dataclass(frozen=True, slots=True)
class PresentSetting:
    """One knob as a new session of ours finds it.

    Attributes:
        value: what was asked for, in `unit`.
        unit: as `pg_settings` names it, such as `8kB`.
        context: who may change it: `user`, `superuser`, `sighup` or `postmaster`.
        source: as `pg_settings` names it.
        sourcefile, sourceline: None also where this role may not see them.
        pending_restart: the files say another value, which waits for a restart.
    """

    name: str
    value: Value
    unit: str | None
    context: str
    source: str
    sourcefile: str | None
    sourceline: int | None
    pending_restart: bool

    @property
    def text(self) -> str:
        """The value as people write it, such as `64MB` or `on`."""
        if isinstance(self.value, bool):
            return "on" if self.value else "off"
        return self.value if isinstance(self.value, str) else format_setting(self.value, self.unit)

    @property
    def origin(self) -> str:
        """Where the value comes from, for people."""
        if self.source in OUTRANKING:
            return f"set {OUTRANKING[self.source]}"
        if self.source == "configuration file" and self.sourcefile:
            by = "ALTER SYSTEM: " if self.altered else ""
            return f"{by}{self.sourcefile}, line {self.sourceline}"
        return "default" if self.source in ("default", "override") else self.source

    @property
    def altered(self) -> bool:
        """Whether it comes from ALTER SYSTEM's file, as far as can be seen."""
        return self.sourcefile is not None and PurePosixPath(self.sourcefile).name == AUTO_CONF


@dataclass(frozen=True, slots=True)
class Override:
    """A setting of a role or database, which its sessions see instead of ALTER SYSTEM's.

    Attributes:
        role, database: None: of all.
        applies: to our own sessions.
    """

    name: str
    value: str
    role: str | None
    database: str | None
    applies: bool

    @property
    def statement(self) -> str:
        """How it was made."""
        return f"{self._where} SET {self.name} = '{self.value}'"

    @property
    def mend(self) -> str:
        """The statement that takes it away."""
        return f"{self._where} RESET {self.name}"

    @property
    def _where(self) -> str:
        if self.role is None and self.database is not None:
            return f"ALTER DATABASE {quoted(self.database)}"
        who = "ALL" if self.role is None else quoted(self.role)
        within = "" if self.database is None else f" IN DATABASE {quoted(self.database)}"
        return f"ALTER ROLE {who}{within}"


def read_present(connection: Connection, names: Iterable[str]) -> dict[str, PresentSetting]:
    """The settings of these names that the server has."""
    found = {}
    for row in connection.execute(READ, [list(names)]):
        name, now, boot, vartype, unit, context, source, *rest = row
        untouched = source in ("default", "override")  # the server may have computed its own
        value = parse_value(boot if untouched and boot is not None else now, vartype)
        found[name] = PresentSetting(name, value, unit, context, source, *rest)
    return found


def read_overrides(connection: Connection, names: Iterable[str]) -> tuple[Override, ...]:
    """Every setting of a role or database for these knobs; any role may read them."""
    return tuple(Override(*row) for row in connection.execute(OVERRIDES, [list(names)]))


def quoted(name: str) -> str:
    """A role or database as a statement names it."""
    return sql.Identifier(name).as_string(None)
