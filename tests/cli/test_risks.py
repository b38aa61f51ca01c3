"""What the user accepts for a throw-away server is what its guards let through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmtune.cli.bench import Bench, open_bench
from llmtune.cli.planning import dry_run_lines
from llmtune.cli.progress import Reporter
from llmtune.cli.safety import Safety
from llmtune.trial import TrialStatus
from llmtune.tuning.circumstances import Circumstances
from llmtune.tuning.guards import violations
from llmtune.tuning.new_record import new_record
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import Phase, Request
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from llmtune.tuning.restore_points import RestorePoints
from llmtune.tuning.runner import Runner
from llmtune.tuning.server_facts import Risks, facts_of
from llmtune.tuning.store import SessionStore
from optimizers.warm_start import Proposal
from workloads.options import WorkloadOptions

CLIENTS = 40
TPCB = WorkloadOptions(scale=0.005, clients=CLIENTS, duration_s=1.0)


@pytest.fixture(scope="module")
def bench(cache):
    """A transaction mix of many clients on a server whose durability may be risked."""
    reporter, store = Reporter(quiet=True), SessionStore("sqlite://")
    safety = Safety(RestorePoints(store), "run", reporter, risks=Risks(durability=True))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LLMTUNE_CACHE", str(cache))
        small = TargetRequest("embedded", memory="1GB")
        with open_bench(small, WorkloadRequest("tpcb", TPCB), reporter, safety) as opened:
            yield opened


def record_of(bench: Bench, **values):
    proposal = Proposal("file", bench.space.configuration(values))
    request = Request("embedded", "tpcb", "random", "file", 0, Plan(trials=2, clients=CLIENTS))
    return new_record(bench.benchmark(), request, [proposal])


def test_an_accepted_risk_is_measured(bench) -> None:
    record = record_of(bench, synchronous_commit="off")
    store = SessionStore("sqlite://")
    store.create(record)
    runner = Runner(bench.benchmark(), store, record, (), Circumstances(facts=bench.facts))
    trial = runner.measure(Phase.SEARCH, "file", record.proposals[0].configuration)
    assert (trial.status, trial.message) == (TrialStatus.SUCCEEDED, "")


def test_a_risk_that_was_not_accepted_is_refused(bench) -> None:
    facts = facts_of(bench.target, bench.workload.clients, Risks())
    risky = bench.space.configuration({"synchronous_commit": "off"})
    assert [one.guard for one in violations(risky, bench.space, facts)] == ["durability"]


def test_a_dry_run_counts_the_memory_of_all_clients(bench) -> None:
    text = "\n".join(dry_run_lines(bench, record_of(bench, work_mem=16 << 10)))
    assert "not applied: could need more memory" in text
    assert f"with {CLIENTS} sessions" in text
    alone = replace(bench, facts=replace(bench.facts, clients=1))
    assert "not applied" not in "\n".join(dry_run_lines(alone, record_of(bench, work_mem=16 << 10)))
