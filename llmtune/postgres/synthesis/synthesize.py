"""Synthesize a workload: draw queries over a database and keep those that prove good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

import psycopg

from llmtune.errors import UsageError
from llmtune.postgres.plans import explain, planner_defaults, set_locally
from llmtune.postgres.synthesis.plan_shape import shape_digest
from llmtune.postgres.synthesis.schema_facts import read_facts
from llmtune.postgres.target import Connection
from workloads.digest import digest
from workloads.synthesis import SchemaFacts, draw_query
from workloads.workload import DataSet, ExistingDatabase, Query, Workload

SAME_SHAPE = "the plan of another"
FAILED = "an error"
TOO_LONG = "too long a run"

Progress: TypeAlias = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may take to be kept, and how long queries are sought.

    Attributes:
        seconds: of one run.
        draws: drawn for each one wanted, at most.
    """

    seconds: float = 5.0
    draws: int = 20

    def __post_init__(self) -> None:
        if not self.seconds > 0 or self.draws < 1:
            raise UsageError("the limits of synthesis must be positive")


@dataclass(frozen=True, slots=True)
class Synthesized:
    """A synthesized workload, and how many drawn queries were dropped for each reason."""

    workload: Workload
    dropped: Mapping[str, int]


def synthesize(
    connection: Connection,
    data_set: DataSet | ExistingDatabase,
    count: int,
    seed: int,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Synthesized:
    """Draw `count` new queries over the connection's database.

    Each was planned and run once, in a transaction that only reads, and no two plans
    have the same shape. On one database, statistics unchanged, equal seeds give equal
    queries, but for those whose run takes about as long as the limit. Fewer than
    `count` come back where the schema has no more shapes to offer.

    Raises:
        UsageError: `count` is not positive, the database has no table with rows that
            this user may read, or no query could be made of them.
    """
    if count < 1:
        raise UsageError(f"at least one query must be synthesized, not {count}")
    facts = read_facts(connection)
    if not facts.relations:
        raise UsageError(
            f"nothing to synthesize from: database {connection.info.dbname} has no table "
            "with rows that this user may read"
        )
    search = _Search(connection, facts, count, seed, limits or Limits())
    search.run(progress or _silent)
    if not search.queries:
        raise UsageError(
            f"no query could be synthesized over {data_set.name}: {_told(search.dropped)}"
        )
    queries = tuple(search.queries)
    name = f"synthesized-{data_set.name}-seed{seed}-n{count}-{digest(queries)}"
    return Synthesized(Workload(name, queries, data_set), dict(search.dropped))


class _Search:
    """Draws under way."""

    def __init__(
        self, connection: Connection, facts: SchemaFacts, count: int, seed: int, limits: Limits
    ) -> None:
        self.queries: list[Query] = []
        self.dropped: Counter[str] = Counter()
        self._connection = connection
        self._facts = facts
        self._count = count
        self._seed = seed
        self._limits = limits
        self._settings = planner_defaults(connection)
        self._shapes: set[str] = set()

    def run(self, progress: Progress) -> None:
        for number in range(self._count * self._limits.draws):
            if len(self.queries) == self._count:
                return
            # A generator of its own: what becomes of one draw changes no other.
            rng = Random(f"synthesis/{self._seed}/{number}")  # noqa: S311 - no secret
            self._try(draw_query(rng, self._facts).sql)
            progress(f"query {len(self.queries)}", len(self.queries) / self._count)

    def _try(self, statement: str) -> None:
        """Keep the statement, or count the reason against it."""
        try:
            reason = self._proved(statement)
        except psycopg.errors.QueryCanceled:
            reason = TOO_LONG
        except psycopg.OperationalError:
            if self._connection.broken or self._connection.closed:
                raise
            reason = FAILED
        except psycopg.Error:
            reason = FAILED
        if reason is not None:
            self.dropped[reason] += 1

    def _proved(self, statement: str) -> str | None:
        """Plan and run it; the reason when it is not kept."""
        with self._connection.transaction(force_rollback=True):
            set_locally(
                self._connection,
                {
                    **self._settings,
                    "transaction_read_only": "on",
                    "statement_timeout": str(max(1, round(self._limits.seconds * 1000))),
                },
            )
            shape = shape_digest(explain(self._connection, statement))
            if shape in self._shapes:
                return SAME_SHAPE
            self._connection.execute(statement.encode(), prepare=False)
        self._shapes.add(shape)
        self.queries.append(Query(f"s{len(self.queries) + 1}", statement, f"synthesized-{shape}"))
        return None


def _told(dropped: Mapping[str, int]) -> str:
    return ", ".join(f"{count} with {reason}" for reason, count in dropped.items())


def _silent(_doing: str, _fraction: float) -> None:
    pass
