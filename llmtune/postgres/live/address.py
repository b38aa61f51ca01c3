"""Where a server is, as libpq understands it.

What an address leaves open comes from the `PG*` variables, the service file and
the password file: https://www.postgresql.org/docs/current/libpq-envars.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from llmtune.errors import UsageError
from llmtune.secrets import SECRETS

DEFAULT_PORT = "5432"
PLACE = frozenset({"user", "host", "port", "dbname"})
SCHEMES = ("postgresql://", "postgres://")
SAFE = "/@"
"""Left as they are in a URL's parameters, where they mean nothing else."""


@dataclass(frozen=True, slots=True)
class Address:
    """A checked address, not connected to yet.

    Attributes:
        parameters: libpq's, as far as the address gives them; may hold a password.
    """

    parameters: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        """For people: user, host, port and database, as far as they are known without asking."""
        service = self.parameters.get("service")
        known = self.parameters if service else {**_environment(), **self.parameters}
        where = place(
            known.get("user", ""),
            known.get("host") or known.get("hostaddr", ""),
            known.get("port", ""),
            known.get("dbname", ""),
        )
        return f"{where}?service={quote(service)}" if service else where


def is_address(text: str) -> bool:
    """Whether the text can only be meant as an address: a URL or `key=value` words."""
    return text.startswith(SCHEMES) or "=" in text


def parse_address(text: str) -> Address:
    """Read `postgresql://user@host/database`, `host=... dbname=...` or `service=...`.

    Raises:
        UsageError: libpq cannot read it; the message does not repeat it.
    """
    try:
        parts = conninfo_to_dict(text)
    except psycopg.ProgrammingError:
        # libpq quotes what it cannot read, which may be the password.
        raise UsageError(
            "the target's address is not a valid PostgreSQL one; "
            "it looks like postgresql://user@host:5432/database"
        ) from None
    return Address({key: str(value) for key, value in parts.items() if value is not None})


def without_secrets(text: str) -> str:
    """An address as it may be kept; others than addresses as they are.

    What takes the place of a secret would be sent as the secret, and outrank the password
    file and PGPASSWORD, so it goes with its name.
    """
    parts = parse_address(text).parameters if is_address(text) else {}
    if not SECRETS & parts.keys():
        return text
    return make_conninfo(**{name: one for name, one in parts.items() if name not in SECRETS})


def manner(parameters: Mapping[str, str]) -> dict[str, str]:
    """How to log in at a place, such as `sslmode` or `service`, as far as it is no secret."""
    return {name: one for name, one in parameters.items() if name not in PLACE | SECRETS}


def place(
    user: str, host: str, port: str, database: str, how: Mapping[str, str] | None = None
) -> str:
    """A URL without a password that leads to the same server; the folder of a Unix socket too.

    Args:
        how: further parameters of libpq's.
    """
    login, name = f"{quote(user)}@" if user else "", quote(database)
    more = [f"{key}={quote(one, safe=SAFE)}" for key, one in (how or {}).items()]
    if host.startswith(("/", "@")):
        at = [f"host={quote(host, safe=SAFE)}", *([f"port={port}"] if port else [])]
        return f"postgresql://{login}/{name}?{'&'.join(at + more)}"
    if not host and port == DEFAULT_PORT:
        port = ""
    shown = f"[{host}]" if ":" in host else host
    query = f"?{'&'.join(more)}" if more else ""
    return f"postgresql://{login}{shown}{f':{port}' if port else ''}/{name}{query}"


def _environment() -> dict[str, str]:
    """libpq's defaults: the `PG*` variables and the service that they name."""
    try:
        options = Conninfo.get_defaults()
    except psycopg.OperationalError:
        return {}  # an unreadable service file; connecting will say so
    return {
        option.keyword.decode(): option.val.decode(errors="replace")
        for option in options
        if option.val
    }
