"""A recorded benchmark answers like the server that it was recorded on, and says so."""

from dataclasses import replace

import numpy as np
import pytest

from llmtune.benchmark.recorded import LABEL, RESTART_S, RecordedEvaluator
from llmtune.benchmark.recording import SHIPPED, Recording, read_recording, write_recording
from llmtune.errors import DatasetError
from llmtune.trial import TrialStatus
from optimizers.random_search import RandomSearch
from optimizers.space import UnitCube
from workloads.objective import LATENCY


@pytest.fixture(scope="module")
def recording() -> Recording:
    return read_recording(SHIPPED / "tpch.parquet")


@pytest.fixture(scope="module")
def evaluator(recording: Recording) -> RecordedEvaluator:
    return RecordedEvaluator(recording)


def test_the_shipped_recording_is_small_and_of_this_catalogue(recording) -> None:
    assert (SHIPPED / "tpch.parquet").stat().st_size < 300_000
    space = recording.space()
    assert recording.catalogue_hash == space.catalogue_hash
    assert len(recording.configurations(space)) == len(recording.seconds) > 100


def test_a_recording_comes_back_as_it_was_written(recording, tmp_path) -> None:
    write_recording(tmp_path / "one.parquet", recording)
    again = read_recording(tmp_path / "one.parquet")
    np.testing.assert_array_equal(again.seconds, recording.seconds)
    names = [name for name in Recording.__slots__ if name != "seconds"]
    for name in names:
        assert getattr(again, name) == getattr(recording, name)


def test_a_damaged_recording_is_named(recording, tmp_path) -> None:
    (tmp_path / "bad.parquet").write_text("nothing")
    with pytest.raises(DatasetError, match=r"bad\.parquet: not a readable recording"):
        read_recording(tmp_path / "bad.parquet")


def test_repeats_of_few_configurations_are_no_recording(recording) -> None:
    few = list(recording.complete[:4]) * 10
    with pytest.raises(DatasetError, match=r"under [1-4] configurations, too few .* at least 20"):
        replace(
            recording,
            changes=tuple(recording.changes[row] for row in few),
            seconds=recording.seconds[few],
        )


def test_what_an_optimizer_draws_does_not_tell_the_noise(evaluator) -> None:
    """Neighbours by a knob's position would share their noise, were both of one stream."""
    cube, base = UnitCube(evaluator.space), evaluator.space.baseline()
    search = RandomSearch(evaluator.space, LATENCY, evaluator.seed)
    drawn = [cube.vector(search.ask())[0] for _ in range(200)]
    values = [evaluator.measure(base, number=n, source="test").value for n in range(200)]
    ordered = [values[place] for place in np.argsort(drawn, kind="stable")]
    assert np.mean(np.diff(ordered) == 0) < 0.2


def test_it_predicts_what_was_measured(evaluator, recording) -> None:
    totals = recording.seconds[recording.complete].sum(axis=1)
    configurations = recording.configurations(evaluator.space)
    predicted = [evaluator.expected(configurations[row]) for row in recording.complete]
    assert np.corrcoef(np.log(totals), np.log(predicted))[0, 1] > 0.9


def test_it_states_how_good_it_is(evaluator) -> None:
    assert evaluator.fit.r2[evaluator.fit.kind] == max(evaluator.fit.r2.values()) > 0.5
    assert LABEL in evaluator.notes[0]
    assert evaluator.fit.kind in evaluator.notes[1]


def test_noise_follows_from_seed_and_number(evaluator) -> None:
    default = evaluator.space.default()

    def values(seed: int) -> list[float]:
        other = evaluator.with_seed(seed)
        return [other.measure(default, number=n, source="x").value for n in range(40)]

    assert values(1) == values(1) != values(2)
    spread = np.std(np.log(values(3)))
    assert evaluator.fit.noise / 2 < spread < evaluator.fit.noise * 2


def test_a_trial_is_the_sum_of_its_queries_and_its_parts(evaluator) -> None:
    trial = evaluator.with_seed(0).measure(evaluator.space.default(), number=0, source="x")
    assert trial.status is TrialStatus.SUCCEEDED
    assert sum(one.seconds for one in trial.query_times) == pytest.approx(trial.value)
    assert trial.measured_s > 1.5 * trial.value  # a warm pass and a timed one
    assert trial.wall_s > trial.measured_s


def test_a_cap_stops_within_a_query_and_is_the_value(evaluator) -> None:
    default = evaluator.space.default()
    whole = evaluator.with_seed(0).measure(default, number=0, source="x")
    capped = evaluator.with_seed(0).measure(default, number=0, source="x", cap=whole.value / 2)
    assert (capped.status, capped.value) == (TrialStatus.CAPPED, whole.value / 2)
    assert len(capped.query_times) < len(whole.query_times)
    assert capped.wall_s < whole.wall_s


def test_only_a_changed_restart_knob_costs_a_restart(evaluator) -> None:
    other = evaluator.with_seed(0)
    default = other.space.default()
    restarting = other.space.configuration({"shared_buffers": 100_000})
    quick = other.space.configuration({"enable_nestloop": False})
    asked = (default, quick, restarting, restarting, default)
    trials = [other.measure(one, number=n, source="x") for n, one in enumerate(asked)]
    overhead = [trial.wall_s - trial.measured_s for trial in trials]
    assert [one > RESTART_S for one in overhead] == [False, False, True, False, True]


def test_without_repeats_the_noise_is_unknown(recording) -> None:
    first: dict[str, int] = {}
    for row, changes in enumerate(recording.changes):
        first.setdefault(repr(sorted(changes.items())), row)
    rows = list(first.values())
    alone = replace(
        recording,
        changes=tuple(recording.changes[row] for row in rows),
        seconds=recording.seconds[rows],
    )
    with pytest.raises(DatasetError, match="its noise is unknown"):
        RecordedEvaluator(alone)
