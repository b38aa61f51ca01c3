"""Growing a matrix: resuming, killing, failing."""

import subprocess
import sys
import time
from dataclasses import replace
from itertools import islice

import pytest

from datagen.matrix_files import read_matrix
from datagen.measure import SHORTEST_TIMEOUT_S, TIMEOUT_FACTOR, MatrixWriter
from datagen.plan import Candidate, schedule
from datagen.synthetic import SyntheticTimer
from llmtune.benchmark.queries import QueryOutcome
from llmtune.errors import ConnectionFailed, DatasetError, ReadBackMismatch, ServerDidNotStart
from llmtune.trial import Pace, TrialStatus
from tests.datagen.conftest import Paced, grow


class Failing(SyntheticTimer):
    """Raises instead of measuring anything but the default."""

    def __init__(self, space, workload, error):
        super().__init__(space, workload)
        self.error = error

    def measure_queries(self, configuration, timeouts_s):
        if configuration != self.space.default():
            raise self.error
        return super().measure_queries(configuration, timeouts_s)


class DefaultFails(SyntheticTimer):
    """Its first query never runs."""

    def measure_queries(self, configuration, timeouts_s):
        first, *rest = super().measure_queries(configuration, timeouts_s)
        return (QueryOutcome(first.query_id, 0.1, TrialStatus.FAILED, "no such table"), *rest)


def test_a_run_is_what_was_measured(make_writer, space, timer, tmp_path):
    writer = make_writer(tmp_path)
    changes = {"work_mem": 512, "enable_nestloop": False}
    writer.add(Candidate("default", space.default()))
    run = writer.add(Candidate("test", space.configuration(changes)))
    assert (run.number, run.source, run.changes) == (1, "test", changes)
    seconds = timer.seconds(space.configuration(changes))
    assert {one.query_id: one.seconds for one in run.outcomes} == seconds
    assert run.features == timer.what_if(space.configuration(changes))
    stored = read_matrix(tmp_path).runs[1]
    assert (stored.changes, stored.outcomes) == (run.changes, run.outcomes)
    assert writer.measured("test") == 1


def test_a_matrix_is_held_against_one_pace(header, space, timer, tmp_path):
    first = Paced(space, timer.workload)
    MatrixWriter(tmp_path, header, first, first.what_if).add(Candidate("default", space.default()))
    (stored,) = read_matrix(tmp_path).runs
    assert {one.pace for one in stored.outcomes} == {Pace(0.003, 0.002)}
    later = Paced(space, timer.workload)
    MatrixWriter(tmp_path, header, later, later.what_if)
    assert later.reference_s == 0.002


def test_queries_get_a_multiple_of_their_default_time(make_writer, space, timer, tmp_path):
    writer = make_writer(tmp_path)
    grow(writer, space, 2)
    assert timer.asked[0] == {}, "nothing is known before the first run"
    assert timer.asked[1] == {
        f"q{n}": max(n * TIMEOUT_FACTOR, SHORTEST_TIMEOUT_S) for n in range(1, 6)
    }


def test_it_takes_up_where_it_stopped(make_writer, space, timer, tmp_path):
    grow(make_writer(tmp_path), space, 4)
    asked = len(timer.asked)
    again = make_writer(tmp_path)
    assert len(again) == 4
    assert [run.number for run in grow(again, space, 7)] == [4, 5, 6]
    assert len(timer.asked) == asked + 3
    plan = [one.configuration for one in islice(schedule(space, 5), 7)]
    assert [space.configuration(run.changes) for run in read_matrix(tmp_path).runs] == plan


def test_on_a_server_with_settings_of_its_own_it_takes_up_where_it_stopped(
    header, live, five, tmp_path
):
    timer = SyntheticTimer(live, five)
    made = grow(MatrixWriter(tmp_path, header, timer, timer.what_if), live, 6)
    assert [run.changes for run in made[:3]] == [{}] * 3
    assert grow(MatrixWriter(tmp_path, header, timer, timer.what_if), live, 6) == []


def test_a_deleted_run_is_measured_again_and_none_is_lost(make_writer, space, tmp_path):
    grow(make_writer(tmp_path), space, 6)
    gone = read_matrix(tmp_path).runs[4]
    (tmp_path / "run-00004.parquet").unlink()
    again = grow(make_writer(tmp_path), space, 6)
    assert [(run.number, run.changes) for run in again] == [(6, gone.changes)]
    assert [run.number for run in read_matrix(tmp_path).runs] == [0, 1, 2, 3, 5, 6]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ServerDidNotStart("no memory"), TrialStatus.CRASHED),
        (ConnectionFailed("gone"), TrialStatus.CRASHED),
        (ReadBackMismatch("work_mem is 1"), TrialStatus.REJECTED),
    ],
)
def test_a_configuration_that_fails_is_a_run_too(header, space, five, tmp_path, error, status):
    timer = Failing(space, five, error)
    writer = MatrixWriter(tmp_path, header, timer, timer.what_if)
    runs = grow(writer, space, 6)
    assert not runs[4].complete
    assert {(one.status, one.message) for one in runs[4].outcomes} == {(status, str(error))}
    assert len(runs[4].outcomes) == 5
    assert writer.matrix.default_rows == (0, 1, 2)


def test_a_default_that_fails_ends_it_at_once(header, space, five, tmp_path):
    timer = DefaultFails(space, five)
    writer = MatrixWriter(tmp_path, header, timer, timer.what_if)
    with pytest.raises(DatasetError, match=r"q1 failed in run 0 \(no such table\)"):
        grow(writer, space, 60)
    assert len(writer) == 1


def test_what_is_refused_is_a_run_that_was_not_applied(header, space, timer, tmp_path):
    def refusal(configuration, clients):
        return "" if configuration == space.default() else "too hungry"

    writer = MatrixWriter(tmp_path, header, timer, timer.what_if, refusal)
    runs = grow(writer, space, 5)
    assert [one.complete for one in runs] == [True] * 3 + [False] * 2
    outcomes = {(one.status, one.message) for one in runs[4].outcomes}
    assert outcomes == {(TrialStatus.REJECTED, "too hungry")}
    assert len(timer.asked) == 3


def test_a_default_that_is_refused_ends_it_at_once(header, space, timer, tmp_path):
    writer = MatrixWriter(tmp_path, header, timer, timer.what_if, lambda *_: "too hungry")
    with pytest.raises(DatasetError, match=r"q1 rejected in run 0 \(too hungry\)"):
        grow(writer, space, 60)
    assert timer.asked == []


def test_what_only_a_busier_server_refuses_waits_for_a_quieter_one(header, space, timer, tmp_path):
    def refusal(configuration, clients):
        return "is too hungry" if clients > 40 and configuration != space.default() else ""

    def writer(clients):
        now = replace(header, clients=clients)
        return MatrixWriter(tmp_path, now, timer, timer.what_if, refusal)

    grow(writer(40), space, 4)
    said = "begun for 40 sessions; now 70 are open, and one of its configurations is too hungry"
    with pytest.raises(DatasetError, match=said):
        grow(writer(70), space, 6)
    assert len(read_matrix(tmp_path).runs) == 4
    assert all(run.complete for run in grow(writer(40), space, 6))


def test_what_is_refused_at_any_hour_is_a_failed_run_at_a_busy_one(header, space, timer, tmp_path):
    def refusal(configuration, clients):
        return "" if configuration == space.default() else "too hungry"

    for clients, upto in ((40, 3), (70, 5)):
        now = replace(header, clients=clients)
        runs = grow(MatrixWriter(tmp_path, now, timer, timer.what_if, refusal), space, upto)
    assert [one.rejected for one in runs] == [True] * 2


KILLED = """
import sys
from pathlib import Path
from datagen.matrix import MatrixHeader
from datagen.measure import MatrixWriter
from datagen.plan import schedule
from datagen.synthetic import SyntheticTimer
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from workloads.workload import DataSet, Query, Workload
space = resolve_space(load_catalogue(), 18, Hardware(2, 1 << 30), sys.argv[2].split(","))
queries = tuple(Query(f"q{n}", f"SELECT {n}", f"t{n}") for n in range(1, 6))
timer = SyntheticTimer(space, Workload("five", queries, DataSet("none", "none", (), (), 0)), 3)
header = MatrixHeader(
    "none", 18, 2, 1 << 30, 5, space.catalogue_hash, "0.0.1", "{}", timer.feature_names
)
writer = MatrixWriter(Path(sys.argv[1]), header, timer, timer.what_if)
for candidate in writer.missing(schedule(space, 5)):
    print(writer.add(candidate).number, flush=True)
"""


def test_a_kill_loses_at_most_the_run_in_flight(make_writer, space, tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path), ",".join(space.names)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.stdout.readline().strip() != "5":
            assert process.poll() is None, "it ended by itself"
        time.sleep(0.02)
        process.kill()
        said = [int(line) for line in process.stdout.read().split()]
    reported = max([5, *said])
    kept = len(read_matrix(tmp_path).runs)
    assert kept in (reported + 1, reported + 2)
    writer = make_writer(tmp_path)
    grow(writer, space, kept + 2)
    plan = [one.configuration for one in islice(schedule(space, 5), kept + 2)]
    assert [space.configuration(run.changes) for run in read_matrix(tmp_path).runs] == plan
