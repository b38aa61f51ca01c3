"""Each way of looking at an objective's values agrees with the others on what is better."""

from math import e, isinf

import numpy as np
import pytest

from workloads.objective import LATENCY, THROUGHPUT, Objective


@pytest.fixture(params=[LATENCY, THROUGHPUT], ids=["seconds", "rate"])
def objective(request: pytest.FixtureRequest) -> Objective:
    made: Objective = request.param
    return made


def test_what_is_worse_is_so_by_every_account(objective: Objective) -> None:
    value = 8.0
    worse = objective.worse_by(2.0, value)
    assert objective.better(value, worse)
    assert objective.ratio(value, worse) == 0.5
    assert objective.loss(worse) == pytest.approx(objective.loss(value) + np.log(2.0))
    assert objective.gain(2.0) < 0 < objective.gain(0.5)


def test_everything_is_better_than_the_worst(objective: Objective) -> None:
    assert isinf(objective.worst)
    assert objective.better(1e-300, objective.worst)
    assert objective.better(1e300, objective.worst)


def test_a_loss_tells_times_and_rates_apart() -> None:
    assert LATENCY.loss(e) == pytest.approx(1.0)
    assert THROUGHPUT.loss(e) == pytest.approx(-1.0)


def test_a_gain_is_a_share_of_what_was_before() -> None:
    assert LATENCY.gain(0.25) == 0.75, "a quarter of the time"
    assert THROUGHPUT.gain(0.25) == 3.0, "four times the rate"


def test_arrays_are_taken_number_by_number(objective: Objective) -> None:
    base, other = np.array([1.0, 2.0, 4.0]), np.array([2.0, 2.0, 2.0])
    pairs = zip(base, other, strict=True)
    assert objective.ratio(base, other).tolist() == [objective.ratio(*pair) for pair in pairs]
    assert objective.gain(other).tolist() == [objective.gain(2.0)] * 3
