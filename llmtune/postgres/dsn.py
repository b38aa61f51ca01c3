"""A running server reached through its address, which we neither start nor stop."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Self

import psycopg
from psycopg.conninfo import conninfo_to_dict

from llmtune.errors import ConnectionFailed, TargetError, UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.postgres.server_settings import alter_system, read_altered
from llmtune.postgres.session import environment, open_session
from llmtune.postgres.target import Connection, check_version

CONNECT_TIMEOUT_S = 10
RECOVERY_PATIENCE_S = 60.0


class DsnTarget:
    """A server behind a libpq address; only what needs no restart can be changed.

    ALTER SYSTEM's entries for the catalogue's knobs are noted on entering, and
    put back on leaving and by `recover`.
    """

    def __init__(self, dsn: str, hardware: Hardware) -> None:
        """Read the address; nothing is connected yet.

        Args:
            dsn: `postgresql://user@host/database` or `host=... dbname=...`.
            hardware: what the server may use, which it cannot be asked.

        Raises:
            UsageError: the address cannot be read.
        """
        try:
            parts = conninfo_to_dict(dsn)
        except psycopg.ProgrammingError:
            # libpq quotes what it cannot read, which may be the password.
            raise UsageError(
                "the target's address is not a valid PostgreSQL one; "
                "it looks like postgresql://user@host:5432/database"
            ) from None
        given = {key: str(value) for key, value in parts.items() if value is not None}
        self._parts = {"connect_timeout": str(CONNECT_TIMEOUT_S), **given}
        self._hardware = hardware
        self._version: int | None = None
        self._originals: dict[str, str] | None = None

    @property
    def name(self) -> str:
        """The address without its password."""
        user, host, port, database = (
            self._parts.get(key) for key in ("user", "host", "port", "dbname")
        )
        place = f"{host or ''}{f':{port}' if port else ''}"
        return f"postgresql://{f'{user}@' if user else ''}{place}/{database or ''}"

    @property
    def version(self) -> int:
        """The server's major version."""
        if self._version is None:
            raise TargetError(f"not connected to {self.name}: use the target in `with`")
        return self._version

    @property
    def hardware(self) -> Hardware:
        """As given: a server does not tell."""
        return self._hardware

    @property
    def can_restart(self) -> bool:
        """Never: the server is not ours."""
        return False

    @property
    def restart_seconds(self) -> float:
        """Always 0."""
        return 0.0

    @property
    def data_folder(self) -> None:
        """Not known: the server may be on another machine."""
        return

    def __enter__(self) -> Self:
        """Connect once, and note the settings to put back.

        Raises:
            ConnectionFailed: nothing answers or the login is refused.
            UnsupportedServer: its version is not covered.
        """
        with self.connect() as connection:
            self._version = connection.info.server_version // 10000
            check_version(self._version)
            self._originals = self._altered(connection)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            self.recover()
        except TargetError as failure:
            if error is None:
                raise
            error.add_note(f"The original settings could not be put back: {failure}")

    def connect(
        self, database: str | None = None, settings: Mapping[str, str] | None = None
    ) -> Connection:
        """See `Target.connect`; the default database is the address's own."""
        parts = {**self._parts, "dbname": database} if database else self._parts
        return open_session(settings or {}, parts)

    def libpq_environment(self, database: str) -> dict[str, str]:
        """See `Target.libpq_environment`."""
        return environment({**self._parts, "dbname": database})

    def restart(self) -> None:
        """See `Target.restart`.

        Raises:
            TargetError: always.
        """
        raise TargetError(f"{self.name} cannot be restarted by LLMTune")

    def recover(self) -> None:
        """See `Target.recover`; a server that is down is waited for, not started.

        Raises:
            ConnectionFailed: it does not come back within a minute.
            TargetError: it refuses to have its settings put back.
        """
        with self._connect_patiently() as connection:
            if self._originals is None:
                return
            now = self._altered(connection) or {}
            try:
                for name in sorted({*now, *self._originals}):
                    if now.get(name) != self._originals.get(name):
                        alter_system(connection, name, self._originals.get(name))
                if now != self._originals:
                    connection.execute("SELECT pg_reload_conf()")
            except psycopg.Error as error:
                raise TargetError(f"cannot put settings back on {self.name}: {error}") from error

    def _altered(self, connection: Connection) -> dict[str, str] | None:
        """ALTER SYSTEM's entries; None where we may not see and so not change them."""
        try:
            return read_altered(connection, load_catalogue().names)
        except psycopg.errors.InsufficientPrivilege:
            return None

    def _connect_patiently(self) -> Connection:
        deadline = time.monotonic() + RECOVERY_PATIENCE_S
        while True:
            try:
                return self.connect()
            except ConnectionFailed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
