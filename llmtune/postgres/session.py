"""Opening one connection with session-level settings in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo, PGconn, Ping

from llmtune.errors import ConnectionFailed, LoginRefused, ServerNotReady, TargetError
from llmtune.postgres.target import Connection

LOST = ("08", "57P")
"""Classes of SQL states in which a server ends a connection."""

LIMITS = {
    "statement_timeout": 0,
    "lock_timeout": 0,
    "idle_in_transaction_session_timeout": 0,
    "idle_session_timeout": 14,
    "transaction_timeout": 17,
}
"""What a role or database may have that ends a session's work, each since a major version:
https://www.postgresql.org/docs/current/runtime-config-client.html#RUNTIME-CONFIG-CLIENT-STATEMENT"""

ENCODING = "UTF8"
"""Of the statements that we send, whatever the database's own encoding is: the server
translates."""

FAILURES = {
    Ping.OK: LoginRefused,
    Ping.NO_ATTEMPT: LoginRefused,  # the address cannot be right
    Ping.REJECT: ServerNotReady,
}
"""What a failed login is by the answer to libpq's ping; nothing answers where there is none."""

SET_ALL = """
    SELECT set_config(name, value, false)
    FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS given(name, value, place)
    ORDER BY place
"""


def no_limits(version: int) -> dict[str, str]:
    """The settings with which a role's limits on its sessions do not hold."""
    return {name: "0" for name, first in LIMITS.items() if version >= first}


def lift_limits(connection: Connection) -> None:
    """Let no limit of the role or database end this session's work."""
    lifted = no_limits(connection.info.server_version // 10000)
    connection.execute(SET_ALL, [list(lifted), list(lifted.values())])


def open_session(
    settings: Mapping[str, str], parameters: Mapping[str, str], *, unlimited: bool = False
) -> Connection:
    """Connect, in autocommit mode, with the settings in force from the first statement.

    Args:
        settings: values in the texts that SET takes.
        parameters: libpq's, such as `host`, `user` and `dbname`.
        unlimited: lift the limits of the role and database that `settings` leave.

    Raises:
        ConnectionFailed: nothing answers, or not for long.
        ServerNotReady: the server starts, replays its WAL or shuts down just now.
        LoginRefused: a server answers, but refuses the login.
        TargetError: the server refuses a setting.
    """
    try:
        where = make_conninfo(**_as_ours(parameters))
        connection = psycopg.connect(where, autocommit=True)
    except psycopg.Error as error:
        kind = FAILURES.get(_ping(parameters), ConnectionFailed)
        raise kind(f"cannot connect to the server: {_one_line(error)}") from error
    if unlimited:
        settings = {**no_limits(connection.info.server_version // 10000), **settings}
    try:
        if settings:
            connection.execute(SET_ALL, [list(settings), list(settings.values())])
    except psycopg.Error as error:
        connection.close()
        if _is_loss(error):
            raise _lost(error) from error
        raise TargetError(f"the server refuses a session setting: {_one_line(error)}") from error
    return connection


def environment(parameters: Mapping[str, str]) -> dict[str, str]:
    """libpq's parameters as the environment variables that its programs read.

    A parameter for which libpq has no variable is left out.
    """
    variables = {
        option.keyword.decode(): option.envvar.decode()
        for option in Conninfo.get_defaults()
        if option.envvar
    }
    given = _as_ours(parameters)
    return {variables[name]: value for name, value in given.items() if name in variables}


def _as_ours(parameters: Mapping[str, str]) -> dict[str, str]:
    """With what our sessions have: a name where none is given, and always our encoding."""
    return {"application_name": "llmtune", **parameters, "client_encoding": ENCODING}


def _ping(parameters: Mapping[str, str]) -> Ping:
    """What a server that we could not log in to answers, if there is one.

    A refusal to log in carries no SQL state that could be asked for. libpq's ping
    tells it from a server that is starting or shutting down, and needs no password:
    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PQPINGPARAMS
    It goes without TLS: a certificate that is not trusted is an answer too.
    """
    plain = {name: text for name, text in parameters.items() if not name.startswith("ssl")}
    try:
        where = make_conninfo(**{**plain, "sslmode": "disable"})
    except psycopg.ProgrammingError:
        return Ping.NO_ATTEMPT
    return Ping(PGconn.ping(where.encode()))


@contextmanager
def loss_is_failure() -> Iterator[None]:
    """A connection lost in here, as by a crash of the server, is a ConnectionFailed.

    A server that is there and cannot do what it is asked, as on a full disk, is a
    TargetError: waiting for it, or starting it anew, would not help.
    """
    try:
        yield
    except psycopg.OperationalError as error:
        if _is_loss(error):
            raise _lost(error) from error
        raise TargetError(f"the server cannot go on: {_one_line(error)}") from error


def _is_loss(error: psycopg.Error) -> bool:
    """Whether the server ended the connection, or it was cut."""
    ended = error.sqlstate is None or error.sqlstate.startswith(LOST)
    return isinstance(error, psycopg.OperationalError) and ended


def _lost(error: psycopg.Error) -> ConnectionFailed:
    return ConnectionFailed(f"the server went away: {_one_line(error)}")


def _one_line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())
