"""Waiting for a server that others start."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg

from llmtune.errors import ConnectionFailed, ServerDidNotStart
from llmtune.postgres.live.restarter import Restarter
from llmtune.postgres.target import Connection

Connect = Callable[[], Connection]
ENDING_PATIENCE_S = 10.0
"""How long the old server may take to end after a restart's command has."""

STARTED = "SELECT extract(epoch FROM pg_postmaster_start_time())::float8"


def connect_patiently(connect: Connect, patience_s: float) -> Connection:
    """The first connection that succeeds.

    Raises:
        ConnectionFailed: none did within the time; it was tried once at least.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return connect()
        except ConnectionFailed:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def await_start(connect: Connect, before: float, restarter: Restarter, patience_s: float) -> float:
    """Wait until a server answers that started at another time than `before`; when it did.

    A command may end before the old server has, or without having restarted anything:
    one that runs on as before is waited for only so long.

    Raises:
        ServerDidNotStart: none did within the time; the log's tail is attached.
    """
    begin = time.monotonic()
    trouble = "the server runs on as before"
    while time.monotonic() < begin + patience_s:
        try:
            with connect() as connection:
                started = start_of(connection)
            if started != before:
                return started
            if time.monotonic() > begin + ENDING_PATIENCE_S:
                break
        except (ConnectionFailed, psycopg.OperationalError) as error:
            trouble = str(error)
            ended = restarter.failed()
            if ended:
                raise _not_started(restarter, ended) from error
        time.sleep(0.02)
    raise _not_started(restarter, f"{time.monotonic() - begin:.0f} s later: {trouble}")


def _not_started(restarter: Restarter, trouble: str) -> ServerDidNotStart:
    message = f"`{restarter.description}` ended well, but the server did not come up: {trouble}"
    return ServerDidNotStart(message, restarter.log_tail())


def start_of(connection: Connection) -> float:
    """When the server started, seconds since 1970; recovery from a crash is no start."""
    row = connection.execute(STARTED).fetchone()
    return float(row[0]) if row else 0.0
