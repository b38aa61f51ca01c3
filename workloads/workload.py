"""A workload: a named, weighted set of queries, or a transaction mix, over one data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from workloads.objective import LATENCY, Objective


@dataclass(frozen=True, slots=True)
class Query:
    """One SQL statement.

    Attributes:
        id: unique in its workload, such as `q3` or `q3.2`.
        template: the query template it was drawn from; splits never separate
            queries of one template.
        weight: how often it counts in the workload's objective; positive.
        writes: it changes data, so every run of it is rolled back.
        place: where its author finds it, such as `report.sql:12`; empty when drawn.
    """

    id: str
    sql: str
    template: str
    weight: float = 1.0
    writes: bool = False
    place: str = ""

    def __post_init__(self) -> None:
        if not self.sql.strip():
            raise ValueError(f"query {self.id}: sql is empty")
        if not self.weight > 0:
            raise ValueError(f"query {self.id}: weight must be positive, not {self.weight}")


CsvSource: TypeAlias = Callable[[], Iterator[bytes]]
"""Yields one table's rows as chunks of CSV bytes (no header), afresh on each call."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a data set: its name, CREATE TABLE statement and rows.

    Attributes:
        escape: the character that stands before a quote inside a quoted field.
        origin: where the rows come from, for messages; empty where they are generated.
        row_count: how many rows there are; a load that finds others is refused.
            None means that it is not known.
        indexes: statements that complete this table alone, such as its keys; they
            may run as soon as its rows are there.
    """

    name: str
    create: str
    rows: CsvSource
    escape: str = '"'
    origin: str = ""
    row_count: int | None = None
    indexes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataSet:
    """Tables, and the statements that complete them.

    Attributes:
        name: identifies content and scale, such as `tpch-sf0.1`; a data set
            loaded once under this name is reused.
        schema: the schema's family, such as `tpch`; splits by schema use it.
        indexes: statements that need the rows of all tables, such as foreign keys.
        disk_bytes: an estimate of the loaded size with its indexes.
        csv_share: an estimate of the CSV rows' bytes over `disk_bytes`, for progress.
    """

    name: str
    schema: str
    tables: tuple[Table, ...]
    indexes: tuple[str, ...]
    disk_bytes: int
    csv_share: float = 0.5


@dataclass(frozen=True, slots=True)
class ExistingDatabase:
    """A database that the server has already: nothing is loaded, nothing is dropped.

    Attributes:
        name: for people and file headers.
        database: as the server knows it; None means the one that the target connects to.
        schema: the schema's family, where splits need one.
    """

    name: str = "own"
    database: str | None = None
    schema: str = "own"


@dataclass(frozen=True, slots=True)
class Workload:
    """A named set of queries, run one after another by one client, and their data set."""

    name: str
    queries: tuple[Query, ...]
    data_set: DataSet | ExistingDatabase
    objective: Objective = field(default=LATENCY)
    clients: int = 1

    def __post_init__(self) -> None:
        if not self.queries:
            raise ValueError(f"workload {self.name}: no queries")
        ids = [query.id for query in self.queries]
        if len(set(ids)) != len(ids):
            raise ValueError(f"workload {self.name}: query ids are not unique")


@dataclass(frozen=True, slots=True)
class Transaction:
    """One kind of transaction, as a script of pgbench's.

    Attributes:
        script: pgbench's script language: SQL and `\\set` lines.
        weight: its share among the mix's transactions; positive.
    """

    id: str
    script: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise ValueError(f"transaction {self.id}: weight must be positive, not {self.weight}")


@dataclass(frozen=True, slots=True)
class TransactionMix:
    """Transactions that several clients run at random for a while, and their data set.

    Attributes:
        queries: the transactions' statements with typical parameters, for EXPLAIN
            alone: a profile looks at them; nothing is measured with them.
        clients: connections that run it at once.
        duration_s: seconds of one timed run.
    """

    name: str
    transactions: tuple[Transaction, ...]
    queries: tuple[Query, ...]
    data_set: DataSet
    objective: Objective
    clients: int
    duration_s: float

    def __post_init__(self) -> None:
        if not self.transactions:
            raise ValueError(f"workload {self.name}: no transactions")
        if self.clients < 1 or not self.duration_s > 0:
            raise ValueError(f"workload {self.name}: clients and duration must be positive")


AnyWorkload: TypeAlias = Workload | TransactionMix
"""Whatever can be tuned for: both have name, queries, data set, objective and clients."""
