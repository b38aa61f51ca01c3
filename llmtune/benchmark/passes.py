"""What the passes of one trial have come to: times, how the last one ended, seconds spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from llmtune.benchmark.timed_pass import WARM_FACTOR, PassResult
from llmtune.trial import QueryTime, TrialStatus
from workloads.workload import Query

BEGUN = PassResult(TrialStatus.SUCCEEDED, 0.0, ())


@dataclass(frozen=True, slots=True)
class Passes:
    """What the passes of one trial have come to so far.

    Attributes:
        reused: seconds of the queries that none of them has run.
        timed: seconds of those that were timed, in the order in which they ran; the means
            where all were timed twice. Where a pass that warms ended the trial, the query in
            which it did comes last, with the seconds that it would take at the least.
        last: how the last one ended, which decides.
        measured_s: unweighted seconds in which queries ran, in all passes, and tables were read.
        probe_s: mean seconds of the pace probe while they were timed; None: there was none.
    """

    reused: Mapping[Query, float] = field(default_factory=dict)
    timed: Mapping[Query, float] = field(default_factory=dict)
    last: PassResult = BEGUN
    measured_s: float = 0.0
    probe_s: float | None = None

    @property
    def status(self) -> TrialStatus:
        """The last one's."""
        return self.last.status

    @property
    def ended(self) -> bool:
        """Whether none of them was stopped or failed."""
        return self.status is TrialStatus.SUCCEEDED

    @property
    def total(self) -> float:
        """Weighted seconds of what was timed and of what was reused."""
        return self.timed_s + self.reused_s

    @property
    def timed_s(self) -> float:
        """What timed ones have of it."""
        return _weighted(self.timed)

    @property
    def reused_s(self) -> float:
        """What reused times have of it."""
        return _weighted(self.reused)

    @property
    def value(self) -> float | None:
        """The total, or the cap that stopped the last pass; None where it failed."""
        if self.status is TrialStatus.CAPPED:
            return self.last.total
        return self.total if self.status is TrialStatus.SUCCEEDED else None

    @property
    def query_times(self) -> tuple[QueryTime, ...]:
        """Those that were reused, then those that were timed."""
        if not self.timed:
            return ()
        reused = (QueryTime(one.id, seconds, reused=True) for one, seconds in self.reused.items())
        timed = (QueryTime(one.id, seconds) for one, seconds in self.timed.items())
        return (*reused, *timed)

    def without(self, queries: Sequence[Query]) -> Passes:
        """Nothing reused of these queries, which are to be run."""
        left = {one: seconds for one, seconds in self.reused.items() if one not in queries}
        return replace(self, reused=left)

    def warmed(self, queries: Sequence[Query], warm: PassResult) -> Passes:
        """With a pass over queries that warms, which ends the trial unless it succeeds.

        Of its times only that of the query which did not come to its end is told, behind
        those that were timed before: as the last of a trial that did not succeed it is taken
        for no complete one. Where the pass ended between two queries no times are told.
        """
        passes = replace(self, measured_s=self.measured_s + warm.query_seconds)
        if warm.status is TrialStatus.SUCCEEDED:
            return passes
        stopped = _stopped(queries, warm)
        timed = {**self.timed, **stopped} if stopped else {}
        return replace(passes, timed=timed, last=warm, probe_s=self._mean_probe(warm))

    def with_timed(self, queries: Sequence[Query], timed: PassResult) -> Passes:
        """With a timed pass over queries, as far as it came."""
        return replace(
            self,
            timed={**self.timed, **_seconds(queries, timed)},
            last=timed,
            measured_s=self.measured_s + timed.query_seconds,
            probe_s=self._mean_probe(timed),
        )

    def timed_again(self, again: PassResult) -> Passes:
        """With a second timed pass over all queries; the means of both are what counts.

        One that does not succeed decides, and has no other times than its own.
        """
        queries = tuple(self.timed)
        both, second = self.with_timed(queries, again), _seconds(queries, again)
        if again.status is not TrialStatus.SUCCEEDED:
            return replace(both, timed=second, probe_s=again.probe_s)
        return replace(both, timed={q: fmean([self.timed[q], second[q]]) for q in queries})

    def explained(self, reason: str) -> Passes:
        """See `Run.explained`."""
        return replace(self, last=replace(self.last, message=f"{reason}; {self.last.message}"))

    def _mean_probe(self, timed: PassResult) -> float | None:
        """Of all timed passes, each for as long as its queries ran."""
        if self.probe_s is None or timed.probe_s is None:
            return self.probe_s or timed.probe_s
        seconds = [sum(self.timed.values()), timed.query_seconds]
        return fmean([self.probe_s, timed.probe_s], seconds)


def _weighted(times: Mapping[Query, float]) -> float:
    return sum(query.weight * seconds for query, seconds in times.items())


def _seconds(queries: Sequence[Query], result: PassResult) -> dict[Query, float]:
    """Of the queries as far as the pass came."""
    return {q: one.seconds for q, one in zip(queries, result.outcomes, strict=False)}


def _stopped(queries: Sequence[Query], warm: PassResult) -> dict[Query, float]:
    """The query in which a pass that warms was stopped, and what it would take when timed."""
    return {
        query: one.seconds / WARM_FACTOR
        for query, one in zip(queries, warm.outcomes, strict=False)
        if one.status is not TrialStatus.SUCCEEDED
    }
