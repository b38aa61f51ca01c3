"""What a trial says of configurations and queries that go well and that do not."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psutil
import pytest

from llmtune.benchmark.benchmark import Benchmark
from llmtune.benchmark.machine_lock import lock_path
from llmtune.benchmark.measure_options import MeasureOptions
from llmtune.errors import ConnectionFailed, ServerDidNotStart, UsageError
from llmtune.knobs.catalogue import load_catalogue, parse_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.settings import SettingsApplier
from llmtune.trial import Trial, TrialStatus
from workloads.tpch import tpch_workload
from workloads.workload import Query, Workload

GIB = 1 << 30
KNOBS = ["shared_buffers", "work_mem", "checkpoint_timeout"]
DEFAULTS = {"shared_buffers": "128MB", "work_mem": "4MB", "checkpoint_timeout": "5min"}
LYING = """
[[knob]]
name = "checkpoint_timeout"
group = "wal"
kind = "integer"
unit = "s"
scale = "log"
low = 30
high = 1000000
levels = 6
default = 300
effect = "reload"
why = "the server allows a day at most"
"""
UNSTARTABLE = """
[[knob]]
name = "shared_preload_libraries"
group = "memory"
kind = "enum"
scale = "choice"
choices = ["", "no_such_library"]
default = ""
effect = "restart"
why = "no library, or one that the server cannot start with"
"""
DATA_SET = tpch_workload(0.01, 1).data_set
COUNT = "SELECT count(*) FROM nation"
SLEEP = "SELECT pg_sleep(0.3)"
KILL_SESSION = "COPY (SELECT 1) TO PROGRAM 'kill -9 $PPID'"
KILL_SERVER = "COPY (SELECT 1) TO PROGRAM 'kill -9 $(head -1 postmaster.pid)'"


def queries(*texts: str, weight: float = 1.0) -> Workload:
    made = (Query(f"q{n}", text, f"q{n}", weight) for n, text in enumerate(texts, start=1))
    return Workload("test", tuple(made), DATA_SET)


@pytest.fixture
def space(embedded: EmbeddedTarget) -> KnobSpace:
    return resolve_space(load_catalogue(), embedded.version, Hardware(2, GIB), KNOBS)


@pytest.fixture(autouse=True)
def settings_put_back(embedded: EmbeddedTarget, space: KnobSpace) -> Iterator[None]:
    applier = SettingsApplier(embedded, space)
    yield
    applier.apply(space.baseline())


@pytest.fixture
def measure(embedded: EmbeddedTarget, tpch_tiny: str, space: KnobSpace):
    """Measure a workload under changes from the default."""

    def run(
        wanted: Workload, changes=None, *, cap=None, options=None, space: KnobSpace = space
    ) -> Trial:
        benchmark = Benchmark(embedded, space, wanted, tpch_tiny, options)
        configuration = space.configuration(changes or {})
        return benchmark.measure(configuration, number=7, source="test", cap=cap)

    return run


def in_force(target: EmbeddedTarget) -> dict[str, str]:
    with target.connect() as connection:
        rows = connection.execute(
            "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)", [KNOBS]
        )
        return dict(rows.fetchall())


def test_the_value_is_the_weighted_sum_of_the_timed_pass(measure):
    trial = measure(queries(COUNT, "SELECT pg_sleep(0.05)", weight=3.0))
    assert (trial.status, trial.number, trial.source) == (TrialStatus.SUCCEEDED, 7, "test")
    assert [time.query_id for time in trial.query_times] == ["q1", "q2"]
    assert trial.value == pytest.approx(3 * sum(time.seconds for time in trial.query_times))
    assert trial.value >= 0.15
    assert trial.wall_s > trial.measured_s > 2 * 0.05, "a warm pass and a timed one"


def test_the_queries_run_under_the_configuration(measure, embedded):
    # Fails unless every knob has the value asked for, whatever it takes to set it.
    asked = {"shared_buffers": 4096, "work_mem": 12345, "checkpoint_timeout": 777}
    checks = [
        f"SELECT 1 / (setting = '{value}')::int FROM pg_settings WHERE name = '{name}'"
        for name, value in asked.items()
    ]
    trial = measure(queries(*checks), asked)
    assert trial.status is TrialStatus.SUCCEEDED, trial.message
    assert measure(queries(COUNT)).status is TrialStatus.SUCCEEDED
    assert in_force(embedded) == DEFAULTS


def test_the_machine_is_locked_while_queries_run(measure):
    command = f"flock -n {lock_path()} true; test $? = 1"
    trial = measure(queries(f"COPY (SELECT 1) TO PROGRAM '{command}'"))
    assert trial.status is TrialStatus.SUCCEEDED, trial.message


def test_a_cap_stops_the_pass_and_is_a_lower_bound(measure):
    slow, once = queries(COUNT, SLEEP, COUNT, weight=2.0), MeasureOptions(warm_passes=0)
    trial = measure(slow, cap=0.4, options=once)
    assert (trial.status, trial.value) == (TrialStatus.CAPPED, 0.4)
    assert [time.query_id for time in trial.query_times] == ["q1", "q2"]
    assert "q2" in trial.message
    assert measure(slow, options=once).value > 0.4


def test_a_pass_under_its_cap_is_measured_as_without(measure):
    trial = measure(queries(COUNT, SLEEP), cap=30.0)
    assert trial.status is TrialStatus.SUCCEEDED
    assert 0.3 < trial.value < 30


def test_far_over_the_cap_while_warming_saves_the_timed_pass(measure):
    trial = measure(queries("SELECT pg_sleep(5)"), cap=0.1)
    assert (trial.status, trial.value) == (TrialStatus.CAPPED, 0.1)
    (stopped,) = trial.query_times
    assert 0.09 < stopped.seconds < 2.5, "half as long as it ran"
    assert trial.measured_s < 5


CAUSES = {
    "error in a query": (queries(COUNT, "SELECT 1 / 0"), {}, TrialStatus.FAILED, "q2: division"),
    "cancelled by somebody": (
        queries("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(5)"),
        {},
        TrialStatus.FAILED,
        "user request",
    ),
    "too long": (
        queries("SELECT pg_sleep(50)"),
        {"work_mem": 512, "checkpoint_timeout": 100},
        TrialStatus.TIMED_OUT,
        "q1: .*statement timeout",
    ),
    "session killed": (
        queries(COUNT, KILL_SESSION),
        {"checkpoint_timeout": 100, "shared_buffers": 4096},
        TrialStatus.CRASHED,
        "q2",
    ),
    "server killed": (queries(KILL_SERVER, SLEEP), {"work_mem": 512}, TrialStatus.CRASHED, "q2"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_what_goes_wrong_in_a_query_is_the_trial_s_status(measure, embedded, cause):
    wanted, changes, status, said = CAUSES[cause]
    trial = measure(wanted, changes, options=MeasureOptions(query_timeout_s=2.0), cap=1000.0)
    assert (trial.status, trial.value) == (status, None)
    assert re.search(said, trial.message)
    assert_measurable(measure, embedded)


def assert_measurable(measure, embedded: EmbeddedTarget) -> None:
    """The server is up and takes the default configuration: its original settings."""
    trial = measure(queries(COUNT))
    assert trial.status is TrialStatus.SUCCEEDED, trial.message
    assert in_force(embedded) == DEFAULTS


def test_a_server_that_died_between_trials_is_no_fault_of_the_next(
    embedded, tpch_tiny, space, measure
):
    benchmark = Benchmark(embedded, space, queries(COUNT), tpch_tiny)
    postmaster = psutil.Process(
        int((embedded.data_folder / "postmaster.pid").read_text().splitlines()[0])
    )
    postmaster.kill()
    postmaster.wait()
    trial = benchmark.measure(space.default(), number=0, source="default")
    assert trial.status is TrialStatus.SUCCEEDED, trial.message


def test_a_server_that_cannot_start_is_a_crashed_trial(measure, embedded):
    unstartable = resolve_space(parse_catalogue(UNSTARTABLE), embedded.version, Hardware(2, GIB))
    changes = {"shared_preload_libraries": "no_such_library"}
    trial = measure(queries(COUNT), changes, space=unstartable)
    assert (trial.status, trial.value, trial.query_times) == (TrialStatus.CRASHED, None, ())
    assert "no_such_library" in trial.message
    assert in_force(embedded) == DEFAULTS, "recovered at once"
    assert_measurable(measure, embedded)


def test_a_value_that_the_server_refuses_is_a_rejected_trial(measure, embedded):
    lying = resolve_space(parse_catalogue(LYING), embedded.version, Hardware(2, GIB))
    trial = measure(queries(COUNT), {"checkpoint_timeout": 900000}, space=lying)
    assert (trial.status, trial.value) == (TrialStatus.REJECTED, None)
    assert "checkpoint_timeout" in trial.message
    assert_measurable(measure, embedded)


def test_queries_by_themselves_do_not_end_each_other(embedded, tpch_tiny, space):
    wanted = queries("SELECT 1 / 0", "SELECT pg_sleep(50)", SLEEP, COUNT)
    benchmark = Benchmark(embedded, space, wanted, tpch_tiny)
    outcomes = benchmark.measure_queries(space.default(), {"q2": 0.2, "q4": 60.0})
    assert [outcome.query_id for outcome in outcomes] == ["q1", "q2", "q3", "q4"]
    assert [outcome.status for outcome in outcomes] == [
        TrialStatus.FAILED,
        TrialStatus.TIMED_OUT,
        TrialStatus.SUCCEEDED,
        TrialStatus.SUCCEEDED,
    ]
    assert "division by zero" in outcomes[0].message
    assert 0.2 <= outcomes[1].seconds < 50
    assert outcomes[2].seconds >= 0.3


def test_queries_by_themselves_may_take_longer_while_they_warm(embedded, tpch_tiny, space):
    """The first one is slow once, as what has to be read from disk is; the second does not end."""
    seconds = "CASE current_setting('own.warm', true) WHEN 'yes' THEN 0.01 ELSE 0.7 END"
    once = f"SELECT pg_sleep({seconds}), set_config('own.warm', 'yes', false)"
    benchmark = Benchmark(embedded, space, queries(once, "SELECT pg_sleep(50)"), tpch_tiny)
    slow, endless = benchmark.measure_queries(space.default(), {"q1": 0.5, "q2": 0.5})
    assert slow.status is TrialStatus.SUCCEEDED, slow.message
    assert slow.seconds < 0.5
    assert endless.status is TrialStatus.TIMED_OUT
    assert 0.5 <= endless.seconds < 1.0, "stopped after a second: a timed run takes half of it"


@pytest.mark.parametrize(("death", "seen"), [(KILL_SESSION, "q2"), (KILL_SERVER, "q3")])
def test_a_crash_among_queries_by_themselves_is_an_error(
    embedded, tpch_tiny, space, measure, death, seen
):
    benchmark = Benchmark(embedded, space, queries(COUNT, death, SLEEP), tpch_tiny)
    configuration = space.configuration({"checkpoint_timeout": 100})
    with pytest.raises(ConnectionFailed, match=f"in query {seen}"):
        benchmark.measure_queries(configuration, {})
    assert_measurable(measure, embedded)


def test_queries_by_themselves_on_a_server_that_cannot_start(embedded, tpch_tiny, measure):
    unstartable = resolve_space(parse_catalogue(UNSTARTABLE), embedded.version, Hardware(2, GIB))
    benchmark = Benchmark(embedded, unstartable, queries(COUNT), tpch_tiny)
    changes = {"shared_preload_libraries": "no_such_library"}
    with pytest.raises(ServerDidNotStart, match="no_such_library"):
        benchmark.measure_queries(unstartable.configuration(changes), {})
    assert_measurable(measure, embedded)


@pytest.mark.parametrize(
    "wrong", [{"query_timeout_s": 0}, {"query_timeout_s": float("inf")}, {"warm_passes": -1}]
)
def test_impossible_options_are_refused(wrong):
    with pytest.raises(UsageError, match=r"above 0|negative"):
        MeasureOptions(**wrong)
