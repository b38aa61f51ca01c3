"""Measure a transaction mix under a configuration on a real server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from time import perf_counter

import psycopg

from llmtune.benchmark.fresh_copy import FreshCopies, check_room_to_copy, template_copy
from llmtune.benchmark.machine_lock import machine_lock
from llmtune.benchmark.measure_options import MeasureOptions
from llmtune.benchmark.pgbench_run import MixRun, run_mix
from llmtune.benchmark.under_configuration import UnderConfiguration
from llmtune.errors import UsageError
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.originals import Journal
from llmtune.postgres.pgbench import find_pgbench
from llmtune.postgres.target import Connection, Target
from llmtune.trial import QueryTime, Trial, TrialStatus
from workloads.objective import P95, Objective
from workloads.workload import TransactionMix

WARM_SHARE = 0.2
"""How long a warm run is, as a share of the timed one."""

OWN_CONNECTIONS = 3
"""Of ours beside the clients': two while a mix runs, and one that drops its copy."""

PLACES = """
    SELECT
        current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0),
        (
            SELECT count(*)
            FROM pg_stat_activity
            WHERE datid IS NOT NULL AND usesysid IS NOT NULL AND pid <> pg_backend_pid()
              AND coalesce(backend_type, 'client backend') = 'client backend'
        )
"""
"""Sessions that the server lets in without further rights (`reserved_connections` is there
from version 16 on), and those that are open beside ours. A role without `pg_read_all_stats`
is not told what other roles' processes are; then each counts."""


class TransactionBenchmark:
    """Applies configurations to a target, runs a transaction mix, returns trials.

    Every trial runs on a fresh copy of the loaded database and with the same streams
    of requests, so that it measures the configuration and not what came before it.

    Failures are statuses as in `Benchmark`. No trial is capped: a rate can still rise
    and a percentile fall until the run ends, and a run never takes longer than planned.
    """

    def __init__(
        self,
        target: Target,
        space: KnobSpace,
        mix: TransactionMix,
        database: str,
        options: MeasureOptions | None = None,
        copies: FreshCopies = template_copy,
        journal: Journal | None = None,
    ) -> None:
        """Find pgbench, and remember the target's original settings.

        Args:
            database: holds the mix's data set, and is only ever copied.
            options: the time limit for one query is how long the last transactions
                may take after the run's end.
            copies: where each trial's copy lives.

        Raises:
            TargetError: there is no pgbench.
            UsageError: the mix has more clients than the server lets in.
            LoadError: the server's disk has no room for a copy of the database.
        """
        _check_connections(target, mix)
        check_room_to_copy(target, database)
        self.space = space
        self.mix = mix
        self._target = target
        self._database = database
        self._options = options or MeasureOptions()
        self._copies = copies
        self._pgbench = find_pgbench()
        self._configured = UnderConfiguration(target, space, journal)

    @property
    def objective(self) -> Objective:
        """What a trial's value means."""
        return self.mix.objective

    def measure(
        self,
        configuration: Configuration,
        *,
        number: int,
        source: str,
        cap: float | None = None,  # noqa: ARG002  see the class
    ) -> Trial:
        """Apply, read back, copy the database, warm up and run the mix once.

        The copy is made and dropped within `wall_s` and outside `measured_s`. The trial's
        query times are the means of the kinds of transactions.
        """
        with machine_lock():
            start = perf_counter()
            run = self._configured.run(configuration, self._run, MixRun.nothing)
            wall_s = perf_counter() - start
        return Trial(
            number=number,
            source=source,
            configuration=configuration,
            status=run.status,
            value=self._value(run),
            query_times=self._means(run),
            wall_s=wall_s,
            measured_s=run.seconds,
            message=run.message,
        )

    def _run(self, settings: Mapping[str, str]) -> MixRun:
        with self._copies(self._target, self._database) as copy:
            environment = self._environment(copy, settings)
            with self._target.connect() as canary:
                run = self._runs(environment)
                if run.status is TrialStatus.FAILED and not _alive(canary):
                    run = replace(run, status=TrialStatus.CRASHED)
            if run.status is TrialStatus.CRASHED:
                run = self._configured.recovered(run)  # so that the copy can be dropped
        return run

    def _runs(self, environment: Mapping[str, str]) -> MixRun:
        """Warm runs, then the timed one; the first that does not succeed is the last."""
        timed_s = round(self.mix.duration_s)
        warm_s = max(1, round(timed_s * WARM_SHARE))
        seconds = 0.0
        for turn in reversed(range(self._options.warm_passes + 1)):
            run = run_mix(
                self._pgbench,
                self.mix,
                environment,
                warm_s if turn else timed_s,
                _seed(self.mix, turn),
                self._options.query_timeout_s,
            )
            seconds += run.seconds
            if run.status is not TrialStatus.SUCCEEDED:
                break
        return replace(run, seconds=seconds)

    def _environment(self, database: str, settings: Mapping[str, str]) -> dict[str, str]:
        environment = self._target.libpq_environment(database)
        given = environment.get("PGOPTIONS", os.environ.get("PGOPTIONS", ""))
        ours = " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())
        return {**environment, "PGOPTIONS": f"{given} {ours}".strip()}

    def _value(self, run: MixRun) -> float | None:
        if run.summary is None:
            return None
        return run.latencies.percentile(95) if self.objective == P95 else run.summary.tps

    def _means(self, run: MixRun) -> tuple[QueryTime, ...]:
        means = ((one.id, run.latencies.mean(at)) for at, one in enumerate(self.mix.transactions))
        return tuple(QueryTime(name, mean / 1000) for name, mean in means if mean is not None)


def _check_connections(target: Target, mix: TransactionMix) -> None:
    with target.connect() as connection:
        allowed, open_now = connection.execute(PLACES).fetchone() or (0, 0)
    free = max(0, allowed - open_now - OWN_CONNECTIONS)
    if mix.clients > free:
        raise UsageError(
            f"{mix.name} has {mix.clients} clients, but beside {open_now} open sessions the "
            f"server's max_connections leaves room for {free}; take fewer --clients, or raise it"
        )


def _alive(connection: Connection) -> bool:
    """Whether the server still is the one that the connection was made to."""
    with suppress(psycopg.OperationalError):
        connection.execute("SELECT 1")
    return not connection.closed


def _seed(mix: TransactionMix, turn: int) -> int:
    """Of one run's requests: those of the warm runs (turn 1 and on) differ from the timed."""
    return int.from_bytes(sha256(f"{mix.name} {turn}".encode()).digest()[:4])


def _escaped(value: str) -> str:
    """As PGOPTIONS wants a value: blanks and backslashes behind a backslash."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
