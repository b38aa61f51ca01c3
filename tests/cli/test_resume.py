"""`llmtune resume` of what cannot go on as it is asked to: told before any server is started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from llmtune.benchmark.observe_window import WindowOptions
from llmtune.cli.session_run import origin_of
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import SessionRecord, SessionStatus
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from llmtune.tuning.store import SessionStore
from llmtune.tuning.terms import OBSERVED
from workloads.objective import LATENCY
from workloads.options import WorkloadOptions

NOBODY = "postgresql://me@127.0.0.1:1/db"
WATCHED = {OBSERVED: asdict(WindowOptions())}


@pytest.fixture
def stop(stored: str, tmp_path: Path) -> Callable[..., SessionStore]:
    """A store with an interrupted session `stopped`."""

    def call(target: str, workload: str, plan: Plan, more: dict[str, object]) -> SessionStore:
        asked = WorkloadRequest(workload, WorkloadOptions())
        origin = origin_of(TargetRequest(target), asked)
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
            origin={**origin, "out": str(tmp_path / "out"), **more},
        )
        store = SessionStore(stored)
        store.create(record)
        store.mark(record.id, SessionStatus.INTERRUPTED)
        return store

    return call


USUAL = Plan(trials=30)
CASES = {
    "no such one": ("embedded", "tpch", USUAL, {}, "tpee", "did you mean 'tpe'?"),
    "a few knobs": ("embedded", "tpch", Plan(trials=30, keep_knobs=5), {}, "plan", "together"),
    "a mix": ("embedded", "tpcb", USUAL, {}, "plan", "is a transaction mix"),
    "traffic": (NOBODY, "captured", USUAL, WATCHED, "plan", "choose another, such as tpe"),
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
