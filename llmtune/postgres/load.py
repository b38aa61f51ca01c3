"""Load a data set into a database of its own, once.

A load goes into a database under an unfinished name, which is renamed when all
is done: whatever bears the final name is complete. One load at a time runs on a
server, so every unfinished database that the next one meets is a leftover.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

import psycopg
from psycopg import sql

from llmtune.errors import LoadError
from llmtune.postgres.copy import copy_table
from llmtune.postgres.databases import PATIENCE, PREFIX, check_room, drop, drop_ours, exists
from llmtune.postgres.finishing import TableFinisher
from llmtune.postgres.target import Connection, Target
from workloads.workload import DataSet, Table

Progress: TypeAlias = Callable[[str, float], None]
"""Called with what is being done and the fraction of the load done so far."""

_UNFINISHED = "_unfinished"
_LOCK = 0x6C6C6D74756E65
"""The advisory lock that a load holds in the target's own database."""

_WAL_BYTES = 1 << 30
"""A load writes its bytes to the WAL too, which the server keeps up to `max_wal_size`."""

_COPY_END, _INDEX_END = 0.6, 0.9
"""Fractions of a load's time at which these phases end."""


def database_name(data_set: DataSet) -> str:
    """The database that holds `data_set`: its name and a digest of its definition.

    A data set whose tables or indexes change gets another database, never a stale one.
    """
    tables = (line for table in data_set.tables for line in (table.create, *table.indexes))
    definition = "\n".join([*tables, *data_set.indexes])
    digest = sha256(f"{data_set.name}\n{definition}".encode()).hexdigest()[:8]
    slug = re.sub(r"[^a-z0-9]+", "_", data_set.name.lower())[:30]
    return f"{PREFIX}{slug}_{digest}"


def ensure_loaded(target: Target, data_set: DataSet, progress: Progress | None = None) -> str:
    """The name of the database with `data_set`, loaded now unless it is there already.

    Raises:
        LoadError: too little free disk space, or the server or the row source failed;
            what was loaded so far is dropped.
        ConnectionFailed: the target does not answer.
    """
    database = database_name(data_set)
    try:
        with target.connect(settings=PATIENCE) as control:
            if not exists(control, database):
                _load_alone(target, control, data_set, progress or _silent)
    except psycopg.Error as error:
        raise LoadError(f"loading data set {data_set.name} failed: {error}") from error
    return database


def _silent(_doing: str, _fraction: float) -> None:
    pass


def _load_alone(target: Target, control: Connection, data_set: DataSet, progress: Progress) -> None:
    """Load under the lock, unless another process did so while we waited for it."""
    with _only_load(control):
        drop_ours(control, _UNFINISHED)
        if not exists(control, database_name(data_set)):
            needed = data_set.disk_bytes + min(data_set.disk_bytes, _WAL_BYTES)
            check_room(target, needed, f"data set {data_set.name}")
            _load(target, control, data_set, progress)


@contextmanager
def _only_load(control: Connection) -> Iterator[None]:
    control.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        with suppress(psycopg.OperationalError):
            control.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _load(target: Target, control: Connection, data_set: DataSet, progress: Progress) -> None:
    database = database_name(data_set)
    unfinished = database + _UNFINISHED
    try:
        _create(control, unfinished)
        settings = load_settings(target)
        with (
            target.connect(unfinished, settings) as connection,
            target.connect(unfinished, settings) as second,
            TableFinisher(second) as finisher,
        ):
            _Load(connection, finisher, data_set, progress).run()
        _rename(control, unfinished, database)
    finally:
        # After a crash of the server the next load drops it instead.
        with suppress(psycopg.OperationalError):
            drop(control, unfinished)
    progress("loaded", 1.0)


def _create(control: Connection, database: str) -> None:
    """Create it in the C locale: text sorts alike, and as fast, on every server."""
    statement = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
    control.execute(sql.SQL(statement).format(sql.Identifier(database)))


def _rename(control: Connection, old: str, new: str) -> None:
    statement = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    control.execute(statement.format(sql.Identifier(old), sql.Identifier(new)))


def load_settings(target: Target) -> dict[str, str]:
    """Session settings of a load: what speeds it up and leaves no trace."""
    memory = min(max(target.hardware.memory // 16, 64 << 20), 512 << 20)
    return {
        **PATIENCE,
        "maintenance_work_mem": f"{memory >> 10}kB",
        "synchronous_commit": "off",
    }


@dataclass(slots=True)
class _Load:
    """One load under way: rows go over one connection, a second one finishes the tables."""

    connection: Connection
    finisher: TableFinisher
    data_set: DataSet
    progress: Progress
    sent_bytes: int = 0

    def run(self) -> None:
        counts = {table.name: self._copy(table) for table in self.data_set.tables}
        _check_counts(self.data_set, counts)
        self.progress("keys and indexes", _COPY_END)
        self.finisher.wait()
        self._join()
        self.progress("checkpoint", _INDEX_END)
        # Leaves the writing of dirty pages out of whatever is measured next.
        with suppress(psycopg.errors.InsufficientPrivilege):
            self.connection.execute("CHECKPOINT")

    def _copy(self, table: Table) -> int:
        rows = copy_table(self.connection, table, lambda count: self._sent(table, count))
        self.finisher.submit(table)
        return rows

    def _sent(self, table: Table, count: int) -> None:
        self.sent_bytes += count
        expected = self.data_set.disk_bytes * self.data_set.csv_share
        share = min(self.sent_bytes / expected, 1.0)
        self.progress(f"copy {table.name}", share * _COPY_END)

    def _join(self) -> None:
        """What needs more than one table: foreign keys."""
        begin = (_COPY_END + _INDEX_END) / 2
        step = (_INDEX_END - begin) / max(len(self.data_set.indexes), 1)
        for number, statement in enumerate(self.data_set.indexes):
            self.progress("foreign keys", begin + number * step)
            self.connection.execute(statement.encode())


def _check_counts(data_set: DataSet, counts: Mapping[str, int]) -> None:
    """Refuse another version of the data than the one whose row counts are known."""
    differing = [
        f"{table.name} has {counts[table.name]} rows, not {table.row_count}"
        for table in data_set.tables
        if table.row_count not in (None, counts[table.name])
    ]
    if differing:
        raise LoadError(
            f"this is another version of data set {data_set.name}, or a part of it: "
            + "; ".join(differing)
        )
