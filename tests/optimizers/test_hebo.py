"""HEBO draws from one Sobol sequence at first, and is then told what its library expects."""

import numpy as np
import pytest
import torch

from optimizers.hebo import HEBO
from optimizers.sobol import SobolSearch
from tests.optimizers.conformance import knob_space, succeeded
from workloads.objective import LATENCY, THROUGHPUT

KNOBS = ("work_mem", "random_page_cost", "cpu_tuple_cost", "enable_nestloop")


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def space():
    return knob_space().subset(KNOBS)


def test_it_draws_one_sequence_until_there_are_more_trials_than_knobs(space):
    hebo, sobol = HEBO(space, LATENCY, 5, startup_trials=2), SobolSearch(space, LATENCY, 5)
    drawn = []
    for number in range(len(KNOBS) + 2):
        asked = hebo.ask()
        drawn.append(asked == sobol.ask())
        for each in (hebo, sobol):
            each.tell(succeeded(number, asked, 1.0 + number))
    assert drawn == [False, False, True, True, True, False]


def test_open_asks_go_on_in_the_sequence(space):
    hebo, sobol = HEBO(space, LATENCY, 5, startup_trials=1), SobolSearch(space, LATENCY, 5)
    for each in (hebo, sobol):
        each.tell(succeeded(0, space.default(), 1.0))
    assert [hebo.ask() for _ in range(3)] == [sobol.ask() for _ in range(3)]


def asked_after(space, objective, values):
    """What it asks when the same places were worth these values."""
    optimizer, drawn = HEBO(space, objective, 0, startup_trials=1), SobolSearch(space, objective, 1)
    for number, value in enumerate(values):
        configuration = drawn.ask()
        for each in (optimizer, drawn):
            each.tell(succeeded(number, configuration, float(value)))
    return optimizer.ask()


def test_neither_the_unit_nor_the_direction_decides_what_it_asks(space):
    seconds = np.geomspace(0.4, 2.5, 7)[[3, 0, 6, 2, 5, 1, 4]]
    asked = asked_after(space, LATENCY, seconds)
    assert asked_after(space, LATENCY, 1000 * seconds) == asked
    assert asked_after(space, THROUGHPUT, 1 / seconds) == asked
    assert asked_after(space, LATENCY, seconds[::-1]) != asked
