"""A workload from the heaviest statements of a live database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random

import psycopg

from llmtune.errors import UsageError
from llmtune.postgres.column_values import OURS
from llmtune.postgres.heavy_statements import HIDDEN, HeavyStatement, heavy_statements
from llmtune.postgres.logged_texts import logged_texts
from llmtune.postgres.parameters import ParameterValues
from llmtune.postgres.plans import explain, not_planned, too_large
from llmtune.postgres.session import loss_is_failure
from llmtune.postgres.target import Connection
from workloads.captured.places import places_in
from workloads.captured.scope import TableName, tables_of
from workloads.digest import digest
from workloads.effects import effect_of, may_be_query
from workloads.options import WorkloadOptions
from workloads.sqlfiles.statements import Statement, parse_statements
from workloads.workload import ExistingDatabase, Query, Workload

SETS = 3
"""Parameter sets of one statement at most: one alone may be a lucky or an unlucky one."""

_LOOKED_AT = 10
"""Statements that are looked at for each that is wanted: many are no queries."""

_DRAWS = 4 * SETS
_CATALOGS = ("pg_catalog", "information_schema")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A heavy statement that is not in the workload.

    Attributes:
        seconds: its total time so far.
    """

    sql: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Captured:
    """A workload from a live database, and the heavy statements that it lacks."""

    workload: Workload
    skipped: tuple[Skipped, ...]


def captured_workload(
    connection: Connection, options: WorkloadOptions, limit: int = 20, *, to_run: bool = True
) -> Captured:
    """The statements with the longest total time in the connection's database.

    Their weights are in proportion to their calls, 1 on average. Constants, which
    the server has taken out, come from the statement log `options.data` where
    that has the statement, else from the columns that they are compared with; up
    to `SETS` sets of them, drawn by the seed. Nothing is run but EXPLAIN and
    bounded looks at tables.

    Args:
        to_run: leave out what would return too much to be run.

    Raises:
        UsageError: `pg_stat_statements` cannot be used, the log cannot be read or has
            none of the statements, or none of them is left; what to do is said.
        ConnectionFailed: the server goes away meanwhile.
    """
    heavy = heavy_statements(connection, limit * _LOOKED_AT)
    capture = _Capture(connection, options, _logged(heavy, connection, options), to_run)
    with loss_is_failure():
        for one in heavy:
            if capture.taken < limit:
                capture.look_at(one)
    if not capture.queries:
        raise _nothing(connection, capture.skipped)
    queries = _scaled(capture.queries)
    existing = ExistingDatabase(database=connection.info.dbname)
    workload = Workload(f"captured-{digest(queries)}", queries, existing)
    return Captured(workload, tuple(capture.skipped))


@dataclass(slots=True)
class _Capture:
    """A capture under way.

    Attributes:
        logged: texts with real values by the statement's query id.
        to_run: see `captured_workload`.
    """

    connection: Connection
    options: WorkloadOptions
    logged: Mapping[int, Sequence[str]]
    to_run: bool
    queries: list[Query] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    taken: int = 0

    def look_at(self, heavy: HeavyStatement) -> None:
        """Take the statement, note why not, or pass over what is no query on tables."""
        try:
            self._check_visible(heavy)
            statement = _query_on_tables(heavy)
            if statement is None:
                return
            texts = self._texts(heavy, statement)
        except UsageError as unfit:
            self._skip(heavy, str(unfit))
            return
        except psycopg.Error as error:  # as of a schema that our role may not look into
            if self.connection.broken:
                raise
            self._skip(heavy, f"its values cannot be looked up: {not_planned(error)}")
            return
        self.taken += 1
        self.queries += self._queries(heavy, statement, texts)

    def _skip(self, heavy: HeavyStatement, reason: str) -> None:
        self.skipped.append(Skipped(heavy.sql, heavy.seconds, reason))

    def _check_visible(self, heavy: HeavyStatement) -> None:
        if heavy.sql == HIDDEN:
            row = self.connection.execute("SELECT quote_ident(current_user)").fetchone()
            role = row[0] if row else ""
            raise UsageError(
                f"the role {role} may not see what other roles run: "
                f"GRANT pg_read_all_stats TO {role}"
            )

    def _texts(self, heavy: HeavyStatement, statement: Statement) -> list[str]:
        """Up to `SETS` texts with values that the server can plan.

        Raises:
            UsageError: there is none; the reason.
        """
        writes = effect_of(statement.tree).writes
        if writes and not self.options.writes:
            raise UsageError("it changes data; --allow-writes takes it, rolled back every time")
        returns = self.to_run and not writes
        texts, reason = self._planned(self.logged.get(heavy.query_id, ()), returns=returns)
        if not texts:
            texts, reason = self._planned(self._sampled(statement), returns=returns)
        if not texts:
            raise UsageError(reason)
        return texts

    def _sampled(self, statement: Statement) -> Iterator[str]:
        places = places_in(statement.tree)
        rng = Random(f"{self.options.seed} {statement.sql}")  # noqa: S311 - not a secret
        values = ParameterValues(self.connection, statement.sql, places, rng)
        if values.unknown:
            number, kind = next(iter(values.unknown.items()))
            raise UsageError(
                f"no value is known for ${number}{f' ({kind})' if kind else ''}, which is compared "
                "with no column; give the statement log by --data"
            )
        for _ in range(_DRAWS if places else 1):
            yield values.draw()

    def _planned(self, texts: Iterable[str], *, returns: bool) -> tuple[list[str], str]:
        """The first different ones that the server can plan, and the reason when there is none."""
        planned: dict[str, None] = {}
        reason = "no values"
        for text in texts:
            if len(planned) == SETS:
                break
            try:
                plan = explain(self.connection, text)
            except psycopg.Error as error:
                if self.connection.broken:
                    raise
                reason = f"the server cannot plan it: {not_planned(error)}"
                continue
            if returns and too_large(plan):
                reason = too_large(plan)
            else:
                planned[text] = None
        return list(planned), reason

    def _queries(
        self, heavy: HeavyStatement, statement: Statement, texts: list[str]
    ) -> Iterator[Query]:
        import pglast

        for number, text in enumerate(texts, start=1):
            yield Query(
                id=f"s{self.taken}" if len(texts) == 1 else f"s{self.taken}.{number}",
                sql=text,
                template=f"sql-{pglast.fingerprint(text)}",
                weight=heavy.calls / len(texts),
                writes=effect_of(statement.tree).writes,
                place=f"query id {heavy.query_id}",
            )


def _query_on_tables(heavy: HeavyStatement) -> Statement | None:
    """The statement, parsed; None when it is no query on tables of the user's.

    Raises:
        UsageError: it cannot be parsed.
    """
    if OURS in heavy.sql or not may_be_query(heavy.sql):
        return None
    parsed = parse_statements(heavy.sql, f"query id {heavy.query_id}")
    if len(parsed) != 1 or effect_of(parsed[0].tree).refusal:
        return None
    return parsed[0] if any(map(_is_own, tables_of(parsed[0].tree))) else None


def _is_own(table: TableName) -> bool:
    """Whether it is neither a catalog nor a view for watching the server."""
    return table.schema not in _CATALOGS and not table.name.startswith("pg_")


def _logged(
    heavy: Iterable[HeavyStatement], connection: Connection, options: WorkloadOptions
) -> dict[int, list[str]]:
    """Texts from the statement log by query id, at most `SETS` of each."""
    if options.data is None:
        return {}
    rng = Random(options.seed or 0)  # noqa: S311 - not a secret
    database = connection.info.dbname
    return logged_texts(options.data, database, _queries_of(heavy), SETS, rng)


def _queries_of(heavy: Iterable[HeavyStatement]) -> Iterator[HeavyStatement]:
    """Those that can be parsed and are queries on the user's tables."""
    for one in heavy:
        with suppress(UsageError):
            if _query_on_tables(one):
                yield one


def _scaled(queries: list[Query]) -> tuple[Query, ...]:
    """Weights of 1 on average: their proportions count, and totals stay readable."""
    mean = sum(query.weight for query in queries) / len(queries)
    return tuple(replace(q, weight=float(f"{q.weight / mean:.4g}")) for q in queries)


def _nothing(connection: Connection, skipped: Sequence[Skipped]) -> UsageError:
    database = connection.info.dbname
    if not skipped:
        return UsageError(
            f"pg_stat_statements has no query on the tables of {database} yet; let your "
            "application work for a while, and try again"
        )
    return UsageError(
        f"none of the {len(skipped)} heaviest statements of {database} can be used; "
        f"of the first: {skipped[0].reason}"
    )
