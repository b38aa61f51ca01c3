"""Opening one connection with session-level settings in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

from llmtune.errors import ConnectionFailed, TargetError
from llmtune.postgres.target import Connection

LOST = ("08", "57P")
"""Classes of SQL states in which a server ends a connection."""

SET_ALL = """
    SELECT set_config(name, value, false)
    FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS given(name, value, place)
    ORDER BY place
"""


def open_session(settings: Mapping[str, str], parameters: Mapping[str, str]) -> Connection:
    """Connect, in autocommit mode, with the settings in force from the first statement.

    Args:
        settings: values in the texts that SET takes.
        parameters: libpq's, such as `host`, `user` and `dbname`.

    Raises:
        ConnectionFailed: nothing answers or the login is refused.
        TargetError: the server refuses a setting.
    """
    try:
        where = make_conninfo(**{"application_name": "llmtune", **parameters})
        connection = psycopg.connect(where, autocommit=True)
    except psycopg.Error as error:
        raise ConnectionFailed(f"cannot connect to the server: {_one_line(error)}") from error
    try:
        if settings:
            connection.execute(SET_ALL, [list(settings), list(settings.values())])
    except psycopg.Error as error:
        connection.close()
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
    given = {"application_name": "llmtune", **parameters}
    return {variables[name]: value for name, value in given.items() if name in variables}


@contextmanager
def loss_is_failure() -> Iterator[None]:
    """A connection lost in here, as by a crash of the server, is a ConnectionFailed.

    A server that is there and cannot do what it is asked, as on a full disk, is a
    TargetError: waiting for it, or starting it anew, would not help.
    """
    try:
        yield
    except psycopg.OperationalError as error:
        if error.sqlstate is None or error.sqlstate.startswith(LOST):
            raise ConnectionFailed(f"the server went away: {_one_line(error)}") from error
        raise TargetError(f"the server cannot go on: {_one_line(error)}") from error


def _one_line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())
