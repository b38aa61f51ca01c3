"""`llmtune resume` of what cannot go on as it is asked to: told before any server is started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from llmtune.benchmark.observe_window import WindowOptions
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.tuning.origin import origin_of
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import SessionRecord, SessionStatus
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from llmtune.tuning.store import SessionStore
from workloads.objective import LATENCY
from workloads.options import WorkloadOptions

NOBODY = "postgresql://me@127.0.0.1:1/db"


@pytest.fixture
def stop(stored: str, tmp_path: Path) -> Callable[..., SessionStore]:
    """A store with an interrupted session `stopped`."""

    def call(target: str, workload: str, plan: Plan, windows: WindowOptions | None) -> SessionStore:
        asked = WorkloadRequest(workload, WorkloadOptions())
        out = tmp_path / "out"
        origin = replace(origin_of(TargetRequest(target), asked), out=out, windows=windows)
        record = SessionRecord(
            id="stopped",
            target=target,
            workload=workload,
            hardware=Hardware(2, 4 << 30),
            server_version=18,
            catalogue_hash=load_catalogue().hash,
            knobs=("work_mem",),
            objective=LATENCY,
            optimizer="random",
            warm_start="none",
            seed=0,
            plan=plan,
            origin=origin,
        )
        store = SessionStore(stored)
        store.create(record)
        store.mark(record.id, SessionStatus.INTERRUPTED)
        return store

    return call


USUAL = Plan(trials=30)
CASES = {
    "no such one": ("embedded", "tpch", USUAL, None, "tpee", "did you mean 'tpe'?"),
    "a few knobs": ("embedded", "tpch", Plan(trials=30, keep_knobs=5), None, "plan", "together"),
    "a mix": ("embedded", "tpcb", USUAL, None, "plan", "is a transaction mix"),
    "traffic": (NOBODY, "captured", USUAL, WindowOptions(), "plan", "choose another, such as tpe"),
}


@pytest.mark.parametrize("case", CASES)
def test_an_optimizer_that_cannot_go_on_is_refused_at_once(case, run, stop, tmp_path) -> None:
    *session, optimizer, said = CASES[case]
    store, nowhere = stop(*session), tmp_path / "nowhere"
    call = ("resume", "stopped", "--optimizer", optimizer, "--store", store.name)
    done = run(*call, LLMTUNE_CACHE=str(nowhere))
    assert (done.exit_code, said in done.message) == (2, True), done.message
    assert not nowhere.exists()
    assert store.summary("stopped").record.optimizer == "random"
