"""The machine's pace: how fast it is just now, told by a fixed piece of work.

A machine that is shared, or that heats up, is slower in one minute than in the next, and
a query's time says nothing of why. A probe between the queries feels the same slowness
whatever the configuration, so its time is taken out of theirs: about half of a
total's noise remains (docs/measurements.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import partial
from math import ceil
from statistics import fmean
from time import perf_counter
from typing import Protocol, runtime_checkable

import psycopg

from llmtune.benchmark.queries import QueryOutcome
from llmtune.benchmark.timed_pass import RunQuery
from llmtune.errors import TargetError
from llmtune.postgres.target import Connection
from llmtune.trial import Pace, Trial, TrialStatus
from workloads.workload import Query

WORK = b"SELECT sum(a * b) FROM generate_series(1, 150) AS a, generate_series(1, 200) AS b"
"""Two milliseconds of executor and arithmetic: no table, no disk, nothing in parallel."""

PINNED = (
    b"SET LOCAL statement_timeout = 0; SET LOCAL jit = off; SET LOCAL work_mem = '4MB'; "
    b"SET LOCAL enable_material = on; SET LOCAL enable_nestloop = on"
)
"""So that no configuration changes how the work is done."""

SHARE = 0.03
"""Of the queries' time, spent on probes."""

FEWEST = 60
"""Probes of a whole pass: one varies by a sixth, so their mean is known to a fiftieth."""

MOST = 100
"""Probes in one gap between queries."""

Connect = Callable[[], AbstractContextManager[Connection]]
"""Opens a connection to the server that is measured."""


def probe(connection: Connection, times: int) -> tuple[float, ...]:
    """Seconds of the work, done `times` times; none when the connection does not serve.

    What is wrong with the connection shows in the next query, which says it better.
    """
    seconds: list[float] = []
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(PINNED)
            for _ in range(times):
                start = perf_counter()
                connection.execute(WORK, prepare=False)
                seconds.append(perf_counter() - start)
    except psycopg.Error:
        return ()
    return tuple(seconds)


class PaceMeter:
    """Probes between the queries of one pass, as often as their time deserves."""

    def __init__(self, probing: Callable[[int], tuple[float, ...]], queries: int) -> None:
        """
        Args:
            probing: does the work so many times, as `probe` on a connection.
            queries: how many the pass is to run.
        """
        self._probing = probing
        self._least = ceil(FEWEST / max(queries, 1))
        self._samples: list[float] = []
        self._queries_s = 0.0

    def after(self, seconds: float) -> None:
        """Probe behind a query that took so long."""
        self._queries_s += seconds
        owed = SHARE * self._queries_s - sum(self._samples)
        times = ceil(owed / fmean(self._samples)) if self._samples else 0
        self._samples += self._probing(min(max(times, self._least), MOST))

    @property
    def mean(self) -> float | None:
        """Mean seconds of the work over the pass; None where no query was run or none probed."""
        return fmean(self._samples) if self._samples else None


def metered(
    run: RunQuery,
    connection: Connection,
    steady: bool,
    queries: int,
) -> tuple[RunQuery, PaceMeter | None]:
    """The same run with probes behind each query, and the meter that they feed; or as it is."""
    if not steady:
        return run, None
    meter = PaceMeter(partial(probe, connection), queries)

    def probed(query: Query, timeout_s: float) -> QueryOutcome:
        outcome = run(query, timeout_s)
        if outcome.status is not TrialStatus.CRASHED:
            meter.after(outcome.seconds)
        return outcome

    return probed, meter


@runtime_checkable
class Paced(Protocol):
    """An evaluator that takes the machine's pace out of its trials."""

    def keep_pace(self, reference_s: float) -> None:
        """Hold trials against this reference, that of a session to be continued."""
        ...


def keep_pace(evaluator: object, measured: Iterable[Trial | QueryOutcome]) -> None:
    """Let `evaluator` go on at the reference of what was measured, where both know of a pace."""
    pace = next((one.pace for one in measured if one.pace), None)
    if pace is not None and isinstance(evaluator, Paced):
        evaluator.keep_pace(pace.reference_s)


class PaceKeeper:
    """The reference of one evaluator's trials, and the machine's present pace.

    Attributes:
        probe_s: mean seconds of the probe when it was last made; None: not yet.
    """

    def __init__(self) -> None:
        self._reference_s: float | None = None
        self.probe_s: float | None = None

    @property
    def present(self) -> float:
        """How many times slower than at the reference queries were last; 1 if nothing is known."""
        if self.probe_s is None or self._reference_s is None:
            return 1.0
        return Pace(self.probe_s, self._reference_s).ratio

    def now(self, connect: Connect) -> float:
        """`present`, probed first where a session goes on that knows the reference alone.

        Nothing else tells how a trial's cap, which is of the reference, compares with the
        seconds of today. Where no connection can be made it stays unknown: that the trial says.
        """
        if self.probe_s is None and self._reference_s is not None:
            with suppress(TargetError), connect() as connection:
                samples = probe(connection, FEWEST)
                self.probe_s = fmean(samples) if samples else None
        return self.present

    def keep(self, reference_s: float) -> None:
        """See `Paced.keep_pace`."""
        self._reference_s = reference_s

    def take(self, probe_s: float | None) -> Pace | None:
        """The pace of a trial; the first one is the reference."""
        if probe_s is None:
            return None
        if self._reference_s is None:
            self._reference_s = probe_s
        self.probe_s = probe_s
        return Pace(probe_s, self._reference_s)


def steadied(trial: Trial, pace: Pace, *, spent: float, reused_at: float) -> Trial:
    """The trial as it would be at the reference pace.

    Args:
        spent: what reused times have of its value.
        reused_at: the pace at which these were put in.
    """
    value = trial.value
    if value is not None:
        reused = spent if trial.status is TrialStatus.SUCCEEDED else 0.0
        value = (value - reused) / pace.ratio + reused / reused_at
    times = tuple(
        replace(one, seconds=one.seconds / (reused_at if one.reused else pace.ratio))
        for one in trial.query_times
    )
    return replace(trial, value=value, query_times=times, pace=pace)


def steady_outcomes(
    outcomes: Iterable[QueryOutcome], pace: Pace | None
) -> tuple[QueryOutcome, ...]:
    """Single queries' outcomes at the reference pace, if one is known."""
    if pace is None:
        return tuple(outcomes)
    return tuple(replace(one, seconds=one.seconds / pace.ratio, pace=pace) for one in outcomes)


def at_pace(trials: Iterable[Trial], ratio: float) -> list[Trial]:
    """Trials as they would be on a machine `ratio` times slower."""
    return [_slower(trial, ratio) for trial in trials]


def _slower(trial: Trial, ratio: float) -> Trial:
    value = None if trial.value is None else trial.value * ratio
    times = tuple(replace(one, seconds=one.seconds * ratio) for one in trial.query_times)
    return replace(trial, value=value, query_times=times)
