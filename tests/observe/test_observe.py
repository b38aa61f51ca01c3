"""Configurations are measured by the work of an application, and taken back when they harm it."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from llmtune.benchmark.observe import ObserveBenchmark
from llmtune.benchmark.observe_window import WindowOptions
from llmtune.errors import ConnectionFailed, SessionError, UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.live.reach import ChangesFor
from llmtune.postgres.traffic import Lost, between
from llmtune.postgres.traffic_reader import TrafficReader
from llmtune.postgres.tuner_lock import TunerLock
from llmtune.trial import TrialStatus
from llmtune.tuning.new_record import new_record
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import Request
from llmtune.tuning.session import TuningSession
from llmtune.tuning.store import SessionStore
from optimizers.warm_start import Proposal

HARDWARE = Hardware(cores=2, memory=1 << 30)
KNOBS = ["enable_nestloop", "enable_material"]
SHORT = WindowOptions(window_s=1.0, settle_s=0.1, min_calls=20)


class Observed:
    """The shop's server by its address, its traffic and what is said about it."""

    def __init__(self, shop, target):
        self.shop, self.target, self.said = shop, target, []
        everything = resolve_space(load_catalogue(), target.version, HARDWARE, KNOBS)
        self.space = target.tunable(everything)

    def benchmark(self, options=SHORT, **others):
        return ObserveBenchmark(
            self.target, self.space, options, on_notice=self.said.append, **others
        )

    def measure(self, benchmark, **changes):
        configuration = self.space.configuration(changes)
        return benchmark.measure(configuration, number=0, source="test")


@pytest.fixture
def observed(shop):
    with DsnTarget(shop.address, HARDWARE, changes_for=ChangesFor.EVERYONE) as target:
        yield Observed(shop, target)


@pytest.fixture
def hampered(shop):
    """The owner forbids nested loops, which the application wants."""
    shop.execute("ALTER SYSTEM SET enable_nestloop = off", "SELECT pg_reload_conf()")


def test_a_session_finds_what_helps_the_traffic(hampered, shop, traffic, observed):
    benchmark = observed.benchmark()
    plan = Plan(trials=3, prune_trials=0, confirm_runs=2)
    request = Request("shop", "traffic", "random", "file", 0, plan)
    better = Proposal("file", observed.space.configuration({"enable_nestloop": True}))
    record = new_record(benchmark, request, [better])
    outcome = TuningSession.start(benchmark, SessionStore("sqlite://"), record).run()
    default, again, helped = (entry.trial for entry in outcome.entries[:3])
    assert [one.status for one in (default, again, helped)] == [TrialStatus.SUCCEEDED] * 3
    assert helped.value < 0.7 * default.value
    assert "of the time compared" in helped.message
    assert len(helped.query_times) >= 2
    assert outcome.confirmation.winner.configuration["enable_nestloop"] is True
    assert outcome.confirmation.ratio > 1.4
    assert shop.entries in (["enable_nestloop = 'on'"], ["enable_nestloop = 'off'"])


def test_harm_is_taken_back_within_the_window(shop, traffic, observed):
    benchmark = observed.benchmark(WindowOptions(3.0, settle_s=0.1, min_calls=20))
    default = observed.measure(benchmark)
    harmful = observed.measure(benchmark, enable_nestloop=False)
    assert harmful.status is TrialStatus.CAPPED
    assert harmful.value == pytest.approx(1.1 * default.value)
    assert harmful.measured_s < 3.0
    assert "the original settings are in force again" in harmful.message
    assert observed.said == [harmful.message]
    assert shop.entries == []
    assert shop.show("enable_nestloop") == "on"


class Crowd:
    """Clients that pile up while settings are changed: they take every place and wait for more."""

    def __init__(self, shop):
        self.shop, self.thread = shop, threading.Thread(target=self.come)
        self.no_place = threading.Event()

    def come(self):
        with ExitStack() as taken:
            while self.shop.entries:
                try:
                    taken.enter_context(self.shop.server.connect())
                except ConnectionFailed:
                    self.no_place.set()
                    time.sleep(0.01)

    def pause(self, seconds):
        time.sleep(seconds)
        if self.shop.entries and not self.no_place.is_set():
            self.thread.start()
            self.no_place.wait()


def test_harm_is_taken_back_while_no_connection_is_free(shop, traffic, observed):
    crowd = Crowd(shop)
    with TunerLock(observed.target) as lock:
        observed.target.keep(lock)
        benchmark = observed.benchmark(pause=crowd.pause)
        assert observed.measure(benchmark).succeeded
        harmful = observed.measure(benchmark, enable_nestloop=False)
        crowd.thread.join()
    assert harmful.status is TrialStatus.CAPPED
    assert shop.entries == []
    assert shop.show("enable_nestloop") == "on"


def test_every_knob_is_changed_for_all_sessions(shop, observed):
    assert {knob.effect for knob in observed.space.knobs} == {"reload"}
    reaches = {one.name: one for one in observed.target.report.reaches}
    assert "not restarted" in reaches["shared_buffers"].obstacle
    assert reaches["work_mem"].effect == "reload"
    private = resolve_space(load_catalogue(), 18, HARDWARE, KNOBS)
    with pytest.raises(ValueError, match="reload"):
        ObserveBenchmark(observed.target, private, SHORT)


@pytest.mark.parametrize(
    ("disturbance", "said"),
    [
        (["SELECT pg_stat_statements_reset()"], "somebody reset pg_stat_statements"),
        ([f"SELECT 1{', 1' * n}" for n in range(250)], "raise pg_stat_statements.max"),
    ],
)
def test_disturbed_counters_void_a_window(shop, traffic, observed, disturbance, said):
    waiting = [disturbance]

    def pause(seconds):
        time.sleep(seconds)
        if waiting:
            shop.execute(*waiting.pop())

    trial = observed.measure(observed.benchmark(pause=pause))
    assert trial.succeeded
    (notice,) = observed.said
    assert said in notice


def test_a_connection_that_is_cut_costs_one_trial_and_leaves_the_originals(shop, traffic, observed):
    cut = []

    def pause(seconds):
        time.sleep(seconds)
        if cut:
            shop.execute(cut.pop())

    patient = replace(SHORT, rollback=5.0)
    benchmark = observed.benchmark(patient, pause=pause)
    assert observed.measure(benchmark).succeeded
    watching = "state = 'idle' AND query LIKE '%info.dealloc%'"
    cut.append(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {watching}")
    trial = observed.measure(benchmark, enable_material=False)
    assert (trial.status, trial.value) == (TrialStatus.CRASHED, None)
    assert shop.entries == []
    assert observed.measure(benchmark, enable_material=False).succeeded


def test_without_traffic_nothing_is_changed_and_the_reason_is_said(shop, observed):
    with pytest.raises(SessionError, match=r"only \d+ calls .* --window"):
        observed.measure(observed.benchmark(), enable_nestloop=False)
    assert shop.entries == []


def test_snapshots_know_what_runs_and_not_themselves(shop, traffic, server):
    with server.connect("shop") as connection:
        reader = TrafficReader(connection)
        first = reader.snapshot()
        time.sleep(0.3)
        seen = between(first, reader.snapshot())
        assert not isinstance(seen, Lost)
        own = "SELECT queryid FROM pg_stat_statements WHERE query LIKE '%dealloc%'"
        numbers = {row[0] for row in connection.execute(own)}
    assert numbers
    assert not numbers & {number for _, number in seen.statements}
    assert seen.calls > 5


def test_what_is_missing_is_said(shop, server):
    with server.connect() as elsewhere, pytest.raises(UsageError, match="CREATE EXTENSION"):
        TrafficReader(elsewhere)
    shop.execute("CREATE ROLE blind", "GRANT pg_read_all_settings TO blind")
    with server.connect("shop") as connection:
        connection.execute("SET ROLE blind")
        with pytest.raises(UsageError, match="GRANT pg_read_all_stats TO"):
            TrafficReader(connection)
    shop.execute("DROP ROLE blind")
