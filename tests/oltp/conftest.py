"""Every mix at its smallest, and a knob space for a small machine."""

from __future__ import annotations

import pytest

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.embedded import EmbeddedTarget
from workloads.oltp import (
    smallbank_workload,
    tpcb_workload,
    tpcc_workload,
    ycsb_workload,
)
from workloads.options import WorkloadOptions
from workloads.workload import TransactionMix

KNOBS = ["shared_buffers", "work_mem", "checkpoint_timeout"]


def build(name: str, **options) -> TransactionMix:
    given = WorkloadOptions(**options)
    if name.startswith("ycsb-"):
        return ycsb_workload(name.removeprefix("ycsb-"), given)
    builders = {
        "tpcb": tpcb_workload,
        "smallbank": smallbank_workload,
        "tpcc": tpcc_workload,
    }
    return builders[name](given)


@pytest.fixture
def tiny():
    """Build a mix by its name, small and short unless told otherwise."""

    def make(name: str, **options) -> TransactionMix:
        return build(name, **{"scale": 0.005, "clients": 4, "duration_s": 1.0, **options})

    return make


@pytest.fixture
def space(embedded: EmbeddedTarget) -> KnobSpace:
    return resolve_space(load_catalogue(), embedded.version, Hardware(2, 1 << 30), KNOBS)
