"""The pairs of runs of `benchmarks/cheap_trials.py`, and what its table says of a best trial."""

from __future__ import annotations

from importlib import import_module

import pytest

from llmtune.benchmark.benchmark import Benchmark
from llmtune.benchmark.measure_options import MeasureOptions
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.trial import Trial, TrialStatus
from workloads.tpch import tpch_workload
from workloads.workload import Query, Workload


@pytest.mark.usefixtures("beside_scripts")
def test_a_run_of_a_pair_is_timed_once(embedded: EmbeddedTarget, tpch_tiny: str) -> None:
    """A second timed pass would be warmed by the first, and its mean half a warm run."""
    space = resolve_space(load_catalogue(), embedded.version, Hardware(2, 1 << 30), ["work_mem"])
    queries = (Query("scan", "SELECT sum(l_tax) FROM lineitem", "scan"),)
    workload = Workload("test", queries, tpch_workload(0.01, 1).data_set)
    options = MeasureOptions(steady=False)
    benchmark = Benchmark(embedded, space, workload, tpch_tiny, options)
    warmed_as_needed = import_module("cheap_trials").warmed_as_needed
    warmed_as_needed(benchmark, space.default(), 0)
    trial = warmed_as_needed(benchmark, space.default(), 1)  # all is read by now
    assert trial.succeeded
    assert trial.measured_s == pytest.approx(trial.query_times[0].seconds)


@pytest.mark.usefixtures("beside_scripts")
def test_a_cap_is_no_value_of_the_best_trial() -> None:
    full_value = import_module("cheap_table").full_value

    def shown(status: TrialStatus, value: float | None) -> str:
        text: str = full_value(Trial(0, "full", Configuration({}), status, value))
        return text

    assert shown(TrialStatus.SUCCEEDED, 4.4) == "4.400"
    assert shown(TrialStatus.CAPPED, 6.6) == "capped"
    assert shown(TrialStatus.CRASHED, None) == "crashed"
    assert full_value(None) == ""
