"""A mix that is really run is timed at the pace of the matrix that it is held against."""

from __future__ import annotations

from benchmarks.composed_totals import at_its_pace
from datagen.matrix import Matrix, MatrixHeader, Run
from llmtune.benchmark.queries import QueryOutcome
from llmtune.cli.bench import Bench
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.trial import Pace, TrialStatus
from llmtune.tuning.guards import ServerFacts
from workloads.tpch import tpch_workload
from workloads.workload import Query, Workload

REFERENCE_S = 0.25
"""A machine much slower than any on which tests run."""


def matrix() -> Matrix:
    pace = Pace(REFERENCE_S, REFERENCE_S)
    outcome = QueryOutcome("scan", 1.0, TrialStatus.SUCCEEDED, pace=pace)
    header = MatrixHeader("tpch-sf0.01", 18, 2, 1 << 30, 1, "1f" * 32, "0.1.0", "{}", ())
    return Matrix(header, [Run(0, "default", {}, (outcome,), {})])


def test_a_mix_is_timed_at_the_matrix_s_pace(embedded: EmbeddedTarget, tpch_tiny: str) -> None:
    space = resolve_space(load_catalogue(), embedded.version, Hardware(2, 1 << 30), ["work_mem"])
    query = Query("scan", "SELECT sum(l_tax) FROM lineitem", "scan")
    mix = Workload("mix", (query,), tpch_workload(0.01, 1).data_set)
    bench = Bench(embedded, space, space, mix, tpch_tiny, None, ServerFacts())
    timed = at_its_pace(bench, mix, matrix())
    trial = timed.measure(space.default(), number=0, source="test")
    assert trial.pace is not None
    assert trial.pace.reference_s == REFERENCE_S
