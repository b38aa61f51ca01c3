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

_UNCOUNTED = "pg_stat_statements.track", "none"
"""A setting that leaves a session out of the counts."""

_COUNTED = "SELECT current_setting(%s, true) IS NOT NULL"
_GRANTED = "SELECT has_parameter_privilege(%s, 'SET')"
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
            if _may_leave_uncounted(connection):
                connection.execute("SELECT set_config(%s, %s, false)", _UNCOUNTED)
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
        ours = no_limits(info.server_version // 10000)
        if _may_leave_uncounted(connection):
            ours |= dict([_UNCOUNTED])
        options = " ".join(f"-c {name}={text}" for name, text in ours.items())
        self._options = f"{info.options} {options}".strip()
        self._manner = {k: v for k, v in self._manner.items() if k in kept}
        return place(info.user, info.host, str(info.port), info.dbname, self._manner)


def _may_leave_uncounted(connection: Connection) -> bool:
    """Whether `pg_stat_statements` is loaded, and this role may have it ignore a session."""
    name = _UNCOUNTED[:1]
    if connection.execute(_COUNTED, name).fetchone() != (True,):
        return False
    if connection.info.parameter_status("is_superuser") == "on":
        return True
    knows_grants = connection.info.server_version // 10000 >= _GRANTS_SINCE
    return knows_grants and connection.execute(_GRANTED, name).fetchone() == (True,)
