"""A login at a server that others own: how each connection to it is made."""

from __future__ import annotations

from collections.abc import Mapping

from llmtune.postgres.live.address import Address, manner, place
from llmtune.postgres.session import environment, loss_is_failure, no_limits, open_session
from llmtune.postgres.target import Connection

DEFAULTS = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""libpq's parameters where the address says nothing else: seconds, and milliseconds the last.

A session that waits for an answer sends nothing, so only keepalives tell it that the network
went silent; left to the kernel, that takes two hours, with a trial's settings in force.
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-KEEPALIVES
"""

_UNCOUNTED = b"""
    SELECT set_config('pg_stat_statements.track', 'none', false)
    WHERE current_setting('pg_stat_statements.track', true) IS NOT NULL
"""
_GRANTED = b" AND has_parameter_privilege('pg_stat_statements.track', 'SET')"
_GRANTS_SINCE = 15
"""The first major version that knows of privileges on parameters."""


class Login:
    """An address that stays with the server that answered first.

    A role's own limits would cut measurements short, so they hold for none of its
    connections but bare ones; LLMTune has its own. What these connections run is no part of
    the owner's workload: `pg_stat_statements` does not count it where the role may say so.
    """

    def __init__(self, address: Address) -> None:
        """Take the address; nothing is connected yet."""
        self._parameters = {**DEFAULTS, **address.parameters}
        self._manner = manner(address.parameters)
        self._options: str | None = None  # of libpq's programs; known once connected

    def connect(
        self, database: str | None = None, settings: Mapping[str, str] | None = None
    ) -> Connection:
        """See `Target.connect`; the default database is the address's own."""
        parts = {**self._parameters, "dbname": database} if database else self._parameters
        connection = open_session(settings or {}, parts, unlimited=True)
        with loss_is_failure():
            _leave_uncounted(connection)
        return connection

    def connect_bare(self) -> Connection:
        """A connection to the address's own database on which nothing was set.

        Behind a pooler, what we set may stay with a server process that goes on to others.
        """
        return open_session({}, self._parameters)

    def libpq_environment(self, database: str) -> dict[str, str]:
        """See `Target.libpq_environment`."""
        options = {} if self._options is None else {"options": self._options}
        return environment({**self._parameters, **options, "dbname": database})

    def pin(self, connection: Connection) -> str:
        """Stay with the server of this connection, of several hosts or when variables change.

        Returns:
            Where that is, as an address without a secret; whoever has it logs in as here.
        """
        info = connection.info
        several = "," in self._parameters.get("hostaddr", "")
        kept = {k: v for k, v in self._parameters.items() if not (several and k == "hostaddr")}
        resolved = {"user": info.user, "host": info.host, "port": str(info.port)}
        self._parameters = {**kept, **resolved, "dbname": info.dbname}
        limits = no_limits(info.server_version // 10000)
        lifted = " ".join(f"-c {name}={text}" for name, text in limits.items())
        self._options = f"{info.options} {lifted}".strip()
        self._manner = {k: v for k, v in self._manner.items() if k in kept}
        return place(info.user, info.host, str(info.port), info.dbname, self._manner)


def _leave_uncounted(connection: Connection) -> None:
    """Have `pg_stat_statements`, where it is loaded, take no notice of this session."""
    if connection.info.parameter_status("is_superuser") == "on":
        connection.execute(_UNCOUNTED)
    elif connection.info.server_version // 10000 >= _GRANTS_SINCE:
        connection.execute(_UNCOUNTED + _GRANTED)
