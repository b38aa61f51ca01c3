"""`llmtune compare` on a server that is a fake: stopped, called again, and called otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import select

from llmtune import __version__
from llmtune.benchmark.cheap import ALL_SAVINGS
from llmtune.benchmark.synthetic import Behaviour, SyntheticEvaluator
from llmtune.cli.bench import Bench
from llmtune.cli.comparison_sources import Wanted, checked_arms, live, stored
from llmtune.cli.kept_queries import found_again, keep_queries, kept_request
from llmtune.cli.progress import Reporter
from llmtune.errors import UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.model.ready import ModelRequest
from llmtune.postgres.profile import Profile
from llmtune.report.comparison_table import Figures
from llmtune.trial import Pace, Trial
from llmtune.tuning.guards import ServerFacts
from llmtune.tuning.record import PRIOR, SessionStatus
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from llmtune.tuning.schema import SessionRow
from llmtune.tuning.store import SessionStore
from workloads.options import WorkloadOptions
from workloads.registry import workload
from workloads.workload import ExistingDatabase, Query, Workload

KNOBS = ("work_mem", "random_page_cost", "enable_nestloop", "shared_buffers", "jit")
SPACE = resolve_space(load_catalogue(), 18, Hardware(2, 4 << 30), names=KNOBS)
ASKED = WorkloadRequest("captured", WorkloadOptions(seed=0))
TARGET = TargetRequest("postgresql://me@db/shop")
PROFILE = Profile("analytic", SPACE.hardware, SPACE.version, 1, (), ())
TRIALS, SEEDS, ARMS = 4, 2, 2


class Machine(SyntheticEvaluator):
    """Measures at some pace until it is interrupted, after `stop` trials."""

    def __init__(
        self, probe_s: float = 0.002, stop: int | None = None, space: KnobSpace = SPACE
    ) -> None:
        super().__init__(space, 0, Behaviour(optimum_gain=4.0, noise=0.0))
        self.reference_s = self.probe_s = probe_s
        self.stop = stop

    def keep_pace(self, reference_s: float) -> None:
        self.reference_s = reference_s

    def measure(self, *given, **more) -> Trial:
        if self.measured == self.stop:
            raise KeyboardInterrupt
        trial = super().measure(*given, **more)
        return replace(trial, pace=Pace(self.probe_s, self.reference_s))


class Server:
    """What a comparison asks of its target."""

    name = "postgresql://me@db/shop"
    restart_seconds = 0.0


@dataclass(frozen=True, slots=True)
class FakeBench(Bench):
    """A bench whose benchmark is a machine of the tests'."""

    machine: Machine | None = None

    def benchmark(self) -> Machine:
        return self.machine


def captured(weight: float) -> Workload:
    """What the server tells of its statements, which it goes on counting."""
    queries = (
        Query("s1.1", "/* shop */ SELECT 1 -- daily", "s1", weight),
        Query("s2.1", "SELECT 2", "s2"),
    )
    return Workload(f"captured-{weight}", queries, ExistingDatabase(database="shop"))


def bench_of(machine: Machine, out: Path, weight: float, clients: int) -> FakeBench:
    found = found_again(ASKED, out, Reporter(quiet=True))
    measured = captured(weight) if found is ASKED else workload(found.name, found.options)
    facts = ServerFacts(clients=clients)
    space = machine.space
    return FakeBench(Server(), space, space, measured, "shop", PROFILE, facts, machine=machine)


@pytest.fixture
def compare(tmp_path) -> Callable[..., Figures]:
    """Compare a cold arm and one with the rules, over two seeds."""

    def call(machine: Machine, weight: float = 1.0, clients: int = 1, **wanted) -> Figures:
        usual = {
            "optimizers": ("random",),
            "warm_starts": ("rules",),
            "prior": None,
            "store": None,
            "model": ModelRequest(None, None),
            "trials": TRIALS,
            "seeds": range(SEEDS),
            "out": tmp_path,
            "cheap": ALL_SAVINGS,
            "final_runs": 1,
        }
        wish, reporter = Wanted(**{**usual, **wanted}), Reporter()
        bench = bench_of(machine, wish.out, weight, clients)
        return live(bench, (TARGET, ASKED), wish, checked_arms(wish, reporter), reporter)

    return call


def address(folder: Path) -> str:
    return f"sqlite:///{folder / 'sessions.db'}"


def values(figures: Figures) -> list[list[float | None]]:
    runs = [run for one in figures.arms for run in one.arm.runs]
    return [[*(point.value for point in run.curve.points), *run.again] for run in runs]


@pytest.mark.parametrize("stop", [0, 7, 17])
def test_a_stopped_comparison_goes_on_and_repeats_nothing(compare, tmp_path, stop) -> None:
    """At 0 and 7 in the searches, at 17 in the final runs."""
    with pytest.raises(KeyboardInterrupt):
        compare(Machine(stop=stop))
    sessions = SessionStore(address(tmp_path)).sessions()
    searching = stop < ARMS * SEEDS * TRIALS
    expected = SessionStatus.INTERRUPTED if searching else SessionStatus.FINISHED
    assert [one.status for one in sessions] == [expected] * ARMS * SEEDS
    assert sum(one.trials for one in sessions) == stop
    machine = Machine()
    figures = compare(machine)
    assert machine.measured == ARMS * SEEDS * (TRIALS + 1) - stop
    (tmp_path / "whole").mkdir()
    assert values(figures) == values(compare(Machine(), out=tmp_path / "whole"))
    assert values(compare(Machine(stop=0))) == values(figures)


def test_no_session_holds_another_s_settings_for_its_own(compare, tmp_path) -> None:
    """What is in force when its turn comes is what another one left: no restart is spared."""
    compare(Machine(), cheap=ALL_SAVINGS)
    stored = SessionStore(address(tmp_path)).sessions()
    made = {one.record.plan.cheap for one in stored}
    assert made == {replace(ALL_SAVINGS, save_restarts=False)}


def test_an_optimizer_that_cannot_be_opened_leaves_no_session_running(compare, tmp_path) -> None:
    with pytest.raises(UsageError, match="looks at the plans"):
        compare(Machine(), optimizers=("random", "plan"))
    (opened,) = SessionStore(address(tmp_path)).sessions()
    assert (opened.status, opened.trials) == (SessionStatus.INTERRUPTED, 0)


def test_what_was_captured_stays_the_comparison_s_and_is_said(compare, tmp_path, capsys) -> None:
    figures = compare(Machine())
    kept = (tmp_path / "captured.sql").read_text()
    again = compare(Machine(stop=0), weight=3.0, clients=7)  # others came and went
    assert (tmp_path / "captured.sql").read_text() == kept
    assert values(again) == values(figures)
    assert f"queries in {tmp_path / 'captured.sql'}" in told_of(tmp_path, capsys)


RUNNING = SPACE.running(SPACE.default())
CHANGES = {
    "baseline: shared_buffers 128MB and 256MB": SPACE.running(
        {**SPACE.default(), "shared_buffers": 32768}
    ),
    "bounds: work_mem 512kB to 1GB and 512kB to 64MB": RUNNING.within({"work_mem": (None, 65536)}),
}


@pytest.mark.parametrize("said", CHANGES)
def test_what_the_owner_changed_begins_the_comparison_anew_and_is_said(
    compare, tmp_path, capsys, said
) -> None:
    """A seed that set out from other settings, or to other bounds, is none of the others."""
    compare(Machine(space=RUNNING), seeds=range(1), final_runs=0)
    before = SessionStore(address(tmp_path)).sessions()[0].record.id
    capsys.readouterr()
    machine = Machine(space=CHANGES[said])
    compare(machine, final_runs=0)
    assert machine.measured == ARMS * SEEDS * TRIALS
    told = " ".join(capsys.readouterr().err.split())
    assert f"{ARMS} sessions of an earlier call stay out: " in told
    assert f"differ in {said}" in told
    after = SessionStore(address(tmp_path)).sessions()[0].record.id
    with pytest.raises(UsageError, match=said.partition(":")[0]):
        stored([before, after], address(tmp_path))
    compare(Machine(stop=0, space=CHANGES[said]), final_runs=0)


def told_of(out: Path, capsys) -> str:
    found_again(ASKED, out, Reporter())
    return " ".join(capsys.readouterr().err.split())


def test_queries_that_cannot_be_kept_are_told_of(tmp_path) -> None:
    bench = bench_of(Machine(), tmp_path, 1.0, 1)
    (tmp_path / "captured.sql").mkdir()
    with pytest.raises(UsageError, match=r"captured\.sql: Is a directory; name another --out"):
        keep_queries(kept_request(ASKED, tmp_path), bench)


def test_sessions_of_before_their_queries_were_kept_are_found_again(compare, tmp_path) -> None:
    figures = compare(Machine())
    with SessionStore(address(tmp_path)).transaction() as database:
        for row in database.scalars(select(SessionRow)):
            origin = dict(row.facts["origin"])
            del origin["query_digest"]
            row.facts = {**row.facts, "origin": origin}
    assert values(compare(Machine(stop=0))) == values(figures)


def test_sessions_of_different_versions_stand_together_with_a_note(compare, tmp_path) -> None:
    assert not [note for note in compare(Machine()).notes if "versions" in note]
    store = SessionStore(address(tmp_path))
    with store.transaction() as database:
        row = database.scalars(select(SessionRow)).all()[0]
        row.facts = {**row.facts, "code_version": "0.0.1"}
    ids = [one.record.id for one in store.sessions()]
    for figures in (compare(Machine(stop=0)), stored(ids, address(tmp_path))):
        assert f"different versions of LLMTune (0.0.1, {__version__})" in " ".join(figures.notes)


def test_a_prior_is_told_at_the_pace_of_the_folder(compare, tmp_path) -> None:
    (tmp_path / "slow").mkdir()
    compare(Machine(), final_runs=0)
    compare(Machine(0.004), out=tmp_path / "slow", final_runs=0)
    slow = SessionStore(address(tmp_path / "slow"))
    earlier = slow.sessions()[0].record.id
    wanted = {"prior": earlier, "store": address(tmp_path / "slow"), "final_runs": 0}
    compare(Machine(0.004), **wanted)
    store = SessionStore(address(tmp_path))
    started = [one.record for one in store.sessions() if one.record.warm_start == PRIOR]
    assert len(started) == SEEDS
    told = [entry.trial.held_against(0.002) for entry in slow.journal(earlier)]
    for record in started:
        assert [one.value for one in record.prior] == [trial.value for trial in told]
        paces = {entry.trial.pace.reference_s for entry in store.journal(record.id)}
        assert paces == {one.pace.reference_s for one in record.prior} == {0.002}
    compare(Machine(stop=0), **wanted)


def test_a_bound_is_not_told_as_a_value(compare, capsys) -> None:
    figures = compare(Machine(), trials=8)
    bounds = sum(one.effort.capped for one in figures.arms)
    assert bounds
    assert capsys.readouterr().err.count(": stopped at ") == bounds


def test_a_session_of_a_comparison_is_not_resumed_by_itself(compare, run, tmp_path) -> None:
    compare(Machine())
    session = SessionStore(address(tmp_path)).sessions()[0].record.id
    done = run("resume", session, "--store", address(tmp_path))
    assert done.exit_code == 1
    assert "call the same `llmtune compare` again" in done.message
    assert SessionStore(address(tmp_path)).summary(session).status is SessionStatus.FINISHED
