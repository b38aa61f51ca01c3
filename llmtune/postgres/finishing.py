"""Finish loaded tables, with keys, indexes and statistics, while others are still copied."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Self

import psycopg
from psycopg import sql

from llmtune.postgres.target import Connection
from workloads.workload import Table


class TableFinisher:
    """Works through the tables handed to it, one after another, on a connection of its own.

    A copy keeps one core of the server busy; what follows on the tables before it can
    have another one. Leaving it early cancels the statement under way.
    """

    def __init__(self, connection: Connection) -> None:
        """Take over `connection`; nobody else may use it until this is left."""
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="llmtune-finish")
        self._tables: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._thread.shutdown(wait=error is None, cancel_futures=True)
        # Cancelled ones are done, but `wait` would wait for a worker to notice them.
        running = [future for future in self._tables if not future.done()]
        while error is not None and wait(running, timeout=0.1).not_done:
            # Again and again: a statement may begin just behind a cancellation.
            with suppress(psycopg.Error):
                self._connection.cancel_safe()

    def submit(self, table: Table) -> None:
        """Finish `table`, whose rows are committed, as soon as those before it are.

        Raises:
            psycopg.Error: an earlier table could not be finished.
        """
        for future in self._tables:
            if future.done():
                future.result()
        self._tables.append(self._thread.submit(self._finish, table))

    def wait(self) -> None:
        """Return when all submitted tables are finished.

        Raises:
            psycopg.Error: one of them could not be.
        """
        for future in self._tables:
            future.result()

    def _finish(self, table: Table) -> None:
        for statement in table.indexes:
            self._connection.execute(statement.encode())
        vacuum = sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table.name))
        self._connection.execute(vacuum)
