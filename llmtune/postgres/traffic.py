"""What a server's own counters say of the traffic on it: snapshots, and what lies between two.

Sources: https://www.postgresql.org/docs/current/pgstatstatements.html and the view
`pg_stat_database`. Both count the whole server, since the settings we change do too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add
from typing import TypeAlias

StatementKey: TypeAlias = tuple[int, int]
"""The database's object id, and the server's number of the statement."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The calls of one statement.

    Attributes:
        seconds: all of them together: execution, and planning where the server tracks it.
        squares: the sum of their squared execution times, in s².
    """

    calls: int
    seconds: float
    squares: float = 0.0

    def __add__(self, other: Counted) -> Counted:
        return Counted(
            self.calls + other.calls, self.seconds + other.seconds, self.squares + other.squares
        )

    def __sub__(self, other: Counted) -> Counted:
        return Counted(
            self.calls - other.calls, self.seconds - other.seconds, self.squares - other.squares
        )

    @property
    def mean(self) -> float:
        """Seconds of one call."""
        return self.seconds / self.calls

    @property
    def variance(self) -> float:
        """Of one call's time, in s²; rounding may have made the squares too small."""
        return max(0.0, self.squares / self.calls - self.mean**2)


@dataclass(frozen=True, slots=True)
class Totals:
    """All databases together; blocks are of 8 kB."""

    transactions: int = 0
    hits: int = 0
    reads: int = 0
    temp_bytes: int = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.transactions + other.transactions,
            self.hits + other.hits,
            self.reads + other.reads,
            self.temp_bytes + other.temp_bytes,
        )

    def __sub__(self, other: Totals) -> Totals:
        return Totals(
            self.transactions - other.transactions,
            self.hits - other.hits,
            self.reads - other.reads,
            self.temp_bytes - other.temp_bytes,
        )


@dataclass(frozen=True, slots=True)
class Running:
    """A statement that has not ended yet; counters do not know it."""

    key: StatementKey
    seconds: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The counters at one moment.

    Attributes:
        at: our own steady clock, seconds; only differences mean something.
        evictions: how often the server made room by dropping statements.
        reset: when somebody last set all counters of statements to nothing.
        took: seconds that such a look takes on average.
    """

    at: float
    evictions: int
    reset: datetime | None
    totals: Totals
    statements: Mapping[StatementKey, Counted]
    running: tuple[Running, ...] = ()
    took: float = 0.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was counted between two snapshots, or in several such spans.

    Attributes:
        seconds: how long that was.
        statements: those that were called.
        running: what had not ended at the end.
    """

    seconds: float
    totals: Totals
    statements: Mapping[StatementKey, Counted]
    running: tuple[Running, ...] = ()

    @property
    def calls(self) -> int:
        """Of all statements."""
        return sum(one.calls for one in self.statements.values())

    @property
    def busy_seconds(self) -> float:
        """That statements took, of all sessions together."""
        return sum(one.seconds for one in self.statements.values())

    @property
    def tps(self) -> float:
        """Transactions in a second."""
        return self.totals.transactions / self.seconds

    @property
    def hit_share(self) -> float:
        """The part of the blocks asked for that was in shared buffers; 1 when none was."""
        asked = self.totals.hits + self.totals.reads
        return self.totals.hits / asked if asked else 1.0


@dataclass(frozen=True, slots=True)
class Lost:
    """Why nothing can be said of a span: its counters were disturbed."""

    reason: str


def between(first: Snapshot, last: Snapshot) -> Traffic | Lost:
    """What was counted from `first` to `last`.

    A statement that is new was called for the first time, unless statements were
    evicted or the counters reset: then the span is lost.
    """
    if first.reset != last.reset:
        return Lost("somebody reset pg_stat_statements")
    if first.evictions != last.evictions:
        return Lost(
            "pg_stat_statements had no room and dropped statements; "
            "raise pg_stat_statements.max, which takes a restart"
        )
    counted = {
        key: now - first.statements.get(key, Counted(0, 0.0))
        for key, now in last.statements.items()
    }
    totals = last.totals - first.totals
    vanished = first.statements.keys() - last.statements.keys()
    if vanished or any(one.calls < 0 for one in counted.values()):
        return Lost("somebody reset counters of pg_stat_statements")
    called = {key: one for key, one in counted.items() if one.calls > 0}
    return Traffic(last.at - first.at, totals, called, last.running)


def pooled(spans: Iterable[Traffic]) -> Traffic:
    """Several spans as one; what was still running then counts for none of it."""
    spans = tuple(spans)
    statements: dict[StatementKey, Counted] = {}
    for span in spans:
        for key, one in span.statements.items():
            statements[key] = statements[key] + one if key in statements else one
    seconds = sum(span.seconds for span in spans)
    return Traffic(seconds, reduce(add, (span.totals for span in spans)), statements)
