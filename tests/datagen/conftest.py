"""A small knob space, a workload of five templates, and matrices without a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from math import isnan
from pathlib import Path

import pytest
from hypothesis import settings

from datagen.matrix import Matrix, MatrixHeader, Run
from datagen.measure import MatrixWriter
from datagen.plan import schedule
from datagen.synthetic import SyntheticTimer
from llmtune.benchmark.queries import QueryOutcome
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Value
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.trial import Pace, TrialStatus
from workloads.workload import DataSet, Query, Workload

# A busy machine is no defect: laws have no deadline.
settings.register_profile("llmtune", deadline=None)
settings.load_profile("llmtune")

KNOBS = [
    "shared_buffers",
    "work_mem",
    "hash_mem_multiplier",
    "random_page_cost",
    "enable_nestloop",
    "max_parallel_workers",
]


class Paced(SyntheticTimer):
    """Says at which pace it measured, and remembers what it was told to hold it against."""

    reference_s: float | None = None
    steady = True

    def keep_pace(self, reference_s: float) -> None:
        self.reference_s = reference_s

    def measure_queries(self, configuration, timeouts_s):
        pace = Pace(0.003, self.reference_s or 0.002)
        measured = super().measure_queries(configuration, timeouts_s)
        return tuple(replace(one, pace=pace) for one in measured)


def grow(writer: MatrixWriter, space: KnobSpace, upto: int) -> list[Run]:
    """Measure what is missing of the first configurations of a plan."""
    return [writer.add(one) for one in writer.missing(islice(schedule(space, 5), upto))]


@pytest.fixture(scope="session")
def space() -> KnobSpace:
    return resolve_space(load_catalogue(), 18, Hardware(2, 1 << 30), KNOBS)


@pytest.fixture(scope="session")
def live(space: KnobSpace) -> KnobSpace:
    """The same knobs on a server with settings of its own."""
    return space.running({**space.default(), "random_page_cost": 1.1, "work_mem": 16384})


@pytest.fixture(scope="session")
def five() -> Workload:
    queries = tuple(Query(f"q{n}", f"SELECT {n}", f"t{n}") for n in range(1, 6))
    return Workload("five", queries, DataSet("none", "none", (), (), 0))


@pytest.fixture
def timer(space: KnobSpace, five: Workload) -> SyntheticTimer:
    return SyntheticTimer(space, five, seed=5)


@pytest.fixture
def header(space: KnobSpace, timer: SyntheticTimer) -> MatrixHeader:
    return MatrixHeader(
        data_set="none",
        server_version=18,
        cores=2,
        memory=1 << 30,
        seed=5,
        catalogue_hash=space.catalogue_hash,
        code_version="0.0.1",
        profile="{}",
        feature_names=timer.feature_names,
        queries="1f2e3d4c",
        database="shop",
    )


@pytest.fixture
def make_writer(header: MatrixHeader, timer: SyntheticTimer) -> Callable[[Path], MatrixWriter]:
    return lambda folder: MatrixWriter(folder, header, timer, timer.what_if)


Rows = Sequence[tuple[Mapping[str, Value], Sequence[float]]]


@pytest.fixture
def make_matrix(header: MatrixHeader) -> Callable[[Rows], Matrix]:
    """A matrix from (changes, seconds of q1, q2 ...); NaN seconds are a query that failed."""

    def make(rows: Rows) -> Matrix:
        return Matrix(
            header,
            [
                Run(number, "test", changes, tuple(map(_outcome, range(1, 9), seconds)), {})
                for number, (changes, seconds) in enumerate(rows)
            ],
        )

    return make


def _outcome(number: int, seconds: float) -> QueryOutcome:
    if isnan(seconds):
        return QueryOutcome(f"q{number}", 0.0, TrialStatus.FAILED, "division by zero")
    return QueryOutcome(f"q{number}", seconds, TrialStatus.SUCCEEDED)
