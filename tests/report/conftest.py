"""A finished session's result, with every kind of trial in it."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from llmtune.report.arms import Arm, Run
from llmtune.report.curve import session_curve
from llmtune.tuning.result import (
    BestFacts,
    DefaultFacts,
    HardwareFacts,
    Improvement,
    KnobChange,
    ObjectiveFacts,
    Overhead,
    TrialFacts,
    TuningResult,
)

DEFAULT = {"work_mem": 4096, "shared_buffers": 16384, "random_page_cost": 4.0, "jit": True}
BEST = {"work_mem": 65536, "shared_buffers": 131072, "random_page_cost": 1.1, "jit": True}
SEARCH = (
    ("default", "succeeded", 16.1, ""),
    ("default", "succeeded", 16.4, ""),
    ("rules", "succeeded", 17.9, ""),
    ("model", "succeeded", 12.9, ""),
    ("model", "succeeded", 12.4, ""),
    ("model", "crashed", None, "the server did not start\nFATAL: could not map shared memory"),
    ("tpe", "capped", 18.6, "stopped at 1.5 times the best"),
    ("tpe", "succeeded", 11.9, ""),
    ("tpe", "timed_out", None, "q9 ran into its timeout of 30 s"),
    ("tpe", "rejected", None, "could use 3.1GiB of 2GiB"),
    ("tpe", "failed", None, "q18: out of memory"),
    ("tpe", "succeeded", 13.2, ""),
)


def arm_of(label: str, results: Iterable[TuningResult]) -> Arm:
    """The arm that finished sessions make, each with its own seed."""
    return Arm(label, tuple(Run(result.seed, session_curve(result)) for result in results))


def trial(number: int, phase: str, source: str, status: str, value: float | None, message: str):
    """One trial that took a little longer than its value."""
    measured = value or 2.0
    configuration = DEFAULT if source == "default" else BEST
    return TrialFacts(
        number=number,
        phase=phase,
        source=source,
        status=status,
        value=value,
        wall_s=measured + 1.5,
        measured_s=measured,
        ask_s=0.05,
        message=message,
        configuration=configuration,
    )


def trials() -> tuple[TrialFacts, ...]:
    """The search, one pruning trial, and five rounds of default against best."""
    rows = [("search", *row) for row in SEARCH]
    rows.append(("prune", "tpe", "succeeded", 11.8, ""))
    for at in range(5):
        rows.append(("confirm", "default", "succeeded", 16.2 + at / 20, ""))
        rows.append(("confirm", "tpe", "succeeded", 11.9 + at / 20, ""))
    return tuple(trial(number, *row) for number, row in enumerate(rows))


@pytest.fixture
def result() -> TuningResult:
    """An improved session."""
    return TuningResult(
        session="20260102-abc123",
        target="embedded",
        workload="tpch-sf0.3",
        server_version=18,
        hardware=HardwareFacts(2, 2 << 30),
        optimizer="tpe",
        warm_start="model",
        seed=1,
        objective=ObjectiveFacts("latency", "s", "minimize"),
        default=DefaultFacts(16.3, (16.2, 16.4)),
        best=BestFacts(12.0, (11.9, 12.1), "tpe", BEST, restart_required=True),
        improvement=Improvement(1.358, (1.33, 1.39), significant=True, improved=True),
        knobs=(
            KnobChange(
                "work_mem",
                4096,
                65536,
                "4MB",
                "64MB",
                "session",
                "Memory for each sort or hash before it spills to disk.",
            ),
            KnobChange(
                "shared_buffers",
                16384,
                131072,
                "128MB",
                "1GB",
                "restart",
                "Memory that holds table and index pages for all sessions.",
            ),
            KnobChange(
                "random_page_cost",
                4.0,
                1.1,
                "4",
                "1.1",
                "session",
                'Planner\'s price of a page fetched out of order <& "quoted">.',
            ),
        ),
        dropped=("max_wal_size", "geqo_threshold"),
        trials=trials(),
        wall_s=402.0,
        measured_s=371.0,
        suggest_s=8.1,
        overhead=Overhead(0.077, 9.0, 12.0, 1.9, 8.1),
        catalogue_hash="0" * 64,
        code_version="0.1.0",
    )


@pytest.fixture
def unproven(result: TuningResult) -> TuningResult:
    """The same session, with an interval that includes 1."""
    return replace(result, improvement=Improvement(1.03, (0.97, 1.09), False, False))


@pytest.fixture
def nothing_found(result: TuningResult) -> TuningResult:
    """The same session, with the default as its best."""
    best = BestFacts(16.3, (16.2, 16.4), "default", DEFAULT, restart_required=False)
    improvement = Improvement(1.0, (1.0, 1.0), False, False)
    return replace(result, best=best, improvement=improvement, knobs=(), dropped=())
