"""Measure a matrix run by run; what is on disk already is not measured again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeAlias

from datagen.matrix import Matrix, MatrixHeader, Run
from datagen.matrix_files import read_matrix, write_run
from datagen.plan import Candidate
from datagen.refine import WhatIf
from datagen.terms import check_terms
from llmtune.benchmark.pace import keep_pace
from llmtune.benchmark.queries import QueryOutcome
from llmtune.errors import ConnectionFailed, DatasetError, ReadBackMismatch, ServerDidNotStart
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.trial import TrialStatus
from workloads.workload import Workload

TIMEOUT_FACTOR = 3.0
SHORTEST_TIMEOUT_S = 1.0

OnRun: TypeAlias = Callable[[Run], None]

Refusal: TypeAlias = Callable[[Configuration, int], str]
"""Why a configuration must not be applied to its server while so many sessions may work there;
empty: it may be."""


def nothing_refused(_configuration: Configuration, _clients: int) -> str:
    """Of a throw-away server: whatever is drawn fits its memory, and nobody else is there."""
    return ""


class QueryTimer(Protocol):
    """Times every query of a workload under a configuration; `Benchmark` is one."""

    @property
    def space(self) -> KnobSpace:
        """The knobs that can be applied."""
        ...

    @property
    def workload(self) -> Workload:
        """The queries that are timed."""
        ...

    @property
    def steady(self) -> bool:
        """Whether the machine's pace is taken out of their times."""
        ...

    def measure_queries(
        self, configuration: Configuration, timeouts_s: Mapping[str, float]
    ) -> tuple[QueryOutcome, ...]:
        """See `Benchmark.measure_queries`."""
        ...


class MatrixWriter:
    """Grows one matrix folder."""

    def __init__(
        self,
        folder: Path,
        header: MatrixHeader,
        timer: QueryTimer,
        what_if: WhatIf,
        refusal: Refusal = nothing_refused,
    ) -> None:
        """Take up a folder where it stands, or begin it.

        Args:
            header: of what is measured on now.
            refusal: asked before a configuration is applied; a refused one is a failed run.

        Raises:
            DatasetError: a run cannot be read, or was measured on other terms.
        """
        self._folder = folder
        self._header = header
        self._busy = header.clients
        self._timer = timer
        self._what_if = what_if
        self._refusal = refusal
        self._runs: list[Run] = []
        if any(folder.glob("run-*.parquet")):
            found = read_matrix(folder)
            check_terms(folder, found, header, timer.workload, steady=timer.steady)
            # The code or the table statistics may have moved on; the header stays.
            self._header = found.header
            self._runs.extend(found.runs)
            keep_pace(timer, (one for run in found.runs for one in run.outcomes))

    @property
    def matrix(self) -> Matrix:
        """All runs so far."""
        return Matrix(self._header, self._runs)

    @property
    def clients(self) -> int:
        """Sessions that may work at once; as when the matrix was begun, as its plan goes on."""
        return self._header.clients

    def __len__(self) -> int:
        return len(self._runs)

    def measured(self, source: str) -> int:
        """How many runs of a source there are."""
        return sum(run.source == source for run in self._runs)

    def missing(self, plan: Iterable[Candidate]) -> Iterator[Candidate]:
        """The candidates of a plan that are not measured yet, each repeat counted."""
        space = self._timer.space
        done = Counter(Candidate(r.source, space.from_default(r.changes)) for r in self._runs)
        for candidate in plan:
            if done[candidate]:
                done[candidate] -= 1
            else:
                yield candidate

    def add(self, candidate: Candidate) -> Run:
        """Measure one configuration and write its run; a failure is a run too.

        Raises:
            DatasetError: the default configuration did not run, so that nothing can
                be compared with it; a configuration is refused for the sessions that
                came since the matrix was begun; or the run cannot be written.
        """
        configuration = candidate.configuration
        run = Run(
            number=max((run.number for run in self._runs), default=-1) + 1,
            source=candidate.source,
            changes=configuration.changes(self._timer.space.default()),
            outcomes=self._outcomes(configuration),
            features={name: tuple(row) for name, row in self._what_if(configuration).items()},
        )
        write_run(self._folder, self._header, run)
        self._runs.append(run)
        return run

    def _outcomes(self, configuration: Configuration) -> tuple[QueryOutcome, ...]:
        timeouts = self._timeouts()
        refused = self._refused(configuration)
        if refused:
            return self._all(TrialStatus.REJECTED, refused)
        try:
            return self._timer.measure_queries(configuration, timeouts)
        except (ServerDidNotStart, ConnectionFailed) as error:
            return self._all(TrialStatus.CRASHED, error)
        except ReadBackMismatch as error:
            return self._all(TrialStatus.REJECTED, error)

    def _refused(self, configuration: Configuration) -> str:
        """Why it is not applied; empty: it is.

        A failed run stays in the matrix, so that a busy hour makes none.
        """
        refused, begun = self._refusal(configuration, self._busy), self.clients
        if refused and self._busy > begun and not self._refusal(configuration, begun):
            raise DatasetError(
                f"the matrix in {self._folder} was begun for {begun} sessions; now {self._busy} "
                f"are open, and one of its configurations {refused}. All runs so far are kept: "
                "call the same again when fewer are open, or name another output folder"
            )
        return refused

    def _all(self, status: TrialStatus, reason: object) -> tuple[QueryOutcome, ...]:
        queries = self._timer.workload.queries
        return tuple(QueryOutcome(query.id, 0.0, status, str(reason)) for query in queries)

    def _timeouts(self) -> dict[str, float]:
        """A multiple of each query's default time; nothing once before that is known."""
        if not self._runs:
            return {}
        known = self.matrix.default_seconds
        return {name: max(s * TIMEOUT_FACTOR, SHORTEST_TIMEOUT_S) for name, s in known.items()}
