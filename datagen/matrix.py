"""The matrix *query x configuration*: what was measured, on what, under which changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from llmtune import __version__
from llmtune.benchmark.queries import QueryOutcome
from llmtune.errors import DatasetError
from llmtune.knobs.configuration import Value
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.profile import Profile
from llmtune.trial import TrialStatus
from workloads.digest import digest
from workloads.workload import AnyWorkload, ExistingDatabase

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class MatrixHeader:
    """What a matrix was measured on; one matrix never mixes two of these.

    Attributes:
        cores, memory: of the server, memory in bytes.
        profile: JSON of the base workload's profile under default settings.
        catalogue_hash: of the knob catalogue whose knobs were changed.
        feature_names: what each position of the runs' feature vectors means.
        queries: digest of the queries' names and SQL. Empty in files that do not say it.
        database: the existing one that was measured, empty where data were loaded.
        clients: sessions that may work on the server at once; whatever was drawn fits its
            memory with so many.
    """

    data_set: str
    server_version: int
    cores: int
    memory: int
    seed: int
    catalogue_hash: str
    code_version: str
    profile: str
    feature_names: tuple[str, ...]
    schema_version: int = SCHEMA_VERSION
    queries: str = ""
    database: str = ""
    clients: int = 1


def header_of(
    workload: AnyWorkload,
    database: str,
    profile: Profile,
    space: KnobSpace,
    feature_names: tuple[str, ...],
    clients: int,
    seed: int,
) -> MatrixHeader:
    """The header of what a workload in a database is measured on from now on.

    Args:
        profile: of the workload, under default settings.
        space: the knobs that are changed.
        feature_names, clients, seed: see `MatrixHeader`.
    """
    existing = isinstance(workload.data_set, ExistingDatabase)
    return MatrixHeader(
        data_set=workload.data_set.name,
        server_version=space.version,
        cores=space.hardware.cores,
        memory=space.hardware.memory,
        seed=seed,
        catalogue_hash=space.catalogue_hash,
        code_version=__version__,
        profile=profile.to_json(),
        feature_names=feature_names,
        # Weights are left out: no measured time depends on them.
        queries=digest(replace(query, weight=1.0) for query in workload.queries),
        database=database if existing else "",
        clients=clients,
    )


@dataclass(frozen=True, slots=True)
class Run:
    """One measured configuration: the changes from default and every query's outcome.

    Attributes:
        features: for each query id, the what-if plan features under the configuration.
    """

    number: int
    source: str
    changes: Mapping[str, Value]
    outcomes: tuple[QueryOutcome, ...]
    features: Mapping[str, tuple[float, ...]]

    @property
    def query_ids(self) -> tuple[str, ...]:
        """In the workload's order."""
        return tuple(outcome.query_id for outcome in self.outcomes)

    @property
    def complete(self) -> bool:
        """Whether every query succeeded."""
        return all(outcome.status is TrialStatus.SUCCEEDED for outcome in self.outcomes)

    @property
    def rejected(self) -> bool:
        """Whether the configuration was never in force, so that nothing is known of its times."""
        return all(outcome.status is TrialStatus.REJECTED for outcome in self.outcomes)


class Matrix:
    """All runs of one header, in order of their numbers."""

    def __init__(self, header: MatrixHeader, runs: Iterable[Run]) -> None:
        self.header = header
        self.runs = tuple(sorted(runs, key=lambda run: run.number))
        if not self.runs:
            raise DatasetError(
                f"the matrix of {header.data_set} has no runs; run `llmtune datagen`"
            )

    @cached_property
    def query_ids(self) -> tuple[str, ...]:
        """Columns of `seconds`, in the workload's order."""
        return self.runs[0].query_ids

    @cached_property
    def seconds(self) -> NDArray[np.float64]:
        """Measured seconds, shape (runs, queries); NaN where a query did not succeed."""
        table = np.full((len(self.runs), len(self.query_ids)), np.nan)
        column = {query_id: index for index, query_id in enumerate(self.query_ids)}
        for row, run in enumerate(self.runs):
            for outcome in run.outcomes:
                if outcome.status is TrialStatus.SUCCEEDED:
                    table[row, column[outcome.query_id]] = outcome.seconds
        return table

    @cached_property
    def default_seconds(self) -> dict[str, float]:
        """Median seconds of each query id over the complete runs of the default configuration.

        Raises:
            DatasetError: there is none.
        """
        medians = np.median(self.seconds[list(self.default_rows)], axis=0)
        return dict(zip(self.query_ids, medians.tolist(), strict=True))

    @cached_property
    def default_rows(self) -> tuple[int, ...]:
        """Rows of the complete runs of the default configuration, which all else is compared with.

        Raises:
            DatasetError: there is none.
        """
        runs = [(row, run) for row, run in enumerate(self.runs) if not run.changes]
        rows = tuple(row for row, run in runs if run.complete)
        if not rows:
            reasons = [_first_failure(run) for _, run in runs]
            raise DatasetError(
                f"the matrix of {self.header.data_set} has no complete run of the default "
                f"configuration{''.join(reasons[:1])}"
            )
        return rows

    def totals(self, weights: Mapping[str, float]) -> NDArray[np.float64]:
        """Composed weighted seconds of a mix under every run, shape (runs,); NaN if unknown."""
        vector = np.array([weights.get(query_id, 0.0) for query_id in self.query_ids])
        used = vector > 0
        totals: NDArray[np.float64] = self.seconds[:, used] @ vector[used]
        return totals


def _first_failure(run: Run) -> str:
    failed = next(o for o in run.outcomes if o.status is not TrialStatus.SUCCEEDED)
    return (
        f": query {failed.query_id} {failed.status} in run {run.number} ({failed.message}); "
        "mend that, delete the run's file and resume"
    )
