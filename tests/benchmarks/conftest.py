"""For the scripts: where they find each other, and stored sessions of a comparison's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmtune.knobs.hardware import Hardware
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import SessionRecord
from workloads.objective import LATENCY, Objective

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def beside_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports find what a script finds: those beside it."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def cold_record(optimizer: str, seed: int = 0, objective: Objective = LATENCY) -> SessionRecord:
    """Of a cold session over one knob."""
    return SessionRecord(
        id=f"{optimizer}-{seed}",
        target="embedded",
        workload="tpch",
        hardware=Hardware(2, 4 << 30),
        server_version=18,
        catalogue_hash="1f" * 32,
        knobs=("work_mem",),
        objective=objective,
        optimizer=optimizer,
        warm_start="none",
        seed=seed,
        plan=Plan(),
    )
