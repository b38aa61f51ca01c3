"""HEBO draws from one sequence, then is told what its library expects and fitted as far."""

import numpy as np
import pytest
from leanhebo import LeanHEBO, LeanHEBOConfig, RuntimeConfig, SearchConfig
from leanhebo.space import Float, Space

from optimizers.hebo import HEBO, LARGEST_RATE, MOST_DRAWN, MOST_STEPS, informed
from optimizers.sobol import SobolSearch
from optimizers.space import UnitCube
from tests.optimizers.conformance import knob_space, succeeded
from workloads.objective import LATENCY, THROUGHPUT

KNOBS = ("work_mem", "random_page_cost", "cpu_tuple_cost", "enable_nestloop")
NO_SEARCH = SearchConfig(population_size=10, generations=0)
"""Enough where only the library's fits count."""


pytestmark = pytest.mark.usefixtures("one_thread")


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


def test_of_many_knobs_it_models_long_before_there_are_as_many_trials():
    space = knob_space()
    assert len(space.knobs) > MOST_DRAWN + 1
    hebo, sobol = HEBO(space, LATENCY, 5), SobolSearch(space, LATENCY, 5)
    told = []
    for number in range(MOST_DRAWN + 1):
        told.append(succeeded(number, sobol.ask(), 1.0 + number % 7))
        for each in (hebo, sobol):
            each.tell(told[-1])
    earlier = HEBO(space, LATENCY, 5)
    for trial in told[:-1]:
        earlier.tell(trial)
    assert earlier.ask() == told[-1].configuration
    assert hebo.ask() != sobol.ask()


def test_where_all_there_is_was_tried_it_asks_something_again():
    space = knob_space().subset(("enable_nestloop", "enable_mergejoin"))
    hebo, drawn = HEBO(space, LATENCY, 5), SobolSearch(space, LATENCY, 5)
    tried = [drawn.ask() for _ in range(12)]
    assert len(set(tried)) == 4
    for number, configuration in enumerate(tried):
        hebo.tell(succeeded(number, configuration, 1.0 + number))
    assert hebo.ask() in tried


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


def test_its_fit_goes_as_far_as_a_kept_librarys_up_to_a_full_refit():
    cube = UnitCube(knob_space().subset(knob_space().names[:12]))
    axes = len(cube.axes)
    config = LeanHEBOConfig(runtime=RuntimeConfig(seed=0), search=NO_SEARCH)
    kept = LeanHEBO(Space(*(Float(f"x{at}", 0.0, 1.0) for at in range(axes))), config=config)
    points = np.random.default_rng(0).uniform(size=(18, axes))
    compared = 0
    for told, point in enumerate(points, 1):
        kept.observe([{f"x{at}": float(x) for at, x in enumerate(point)}], [1.0 + point[0]])
        kept.suggest(1)
        reports = kept.diagnostics.fit_reports
        if reports:
            ours = informed(cube, points[:told], points[:told, 0], 0).config.gp
            made = sum(report.completed_steps for report in reports)
            own = kept.config.gp.learning_rate
            assert ours.initial_steps * ours.learning_rate == pytest.approx(made * own)
            assert ours.initial_steps <= MOST_STEPS
            compared += 1
    assert compared == 18 - axes


def test_a_long_session_makes_its_steps_no_longer_than_is_safe():
    cube = UnitCube(knob_space().subset(["work_mem"]))
    points = np.random.default_rng(0).uniform(size=(500, 1))
    gp = informed(cube, points, points[:, 0], 0).config.gp
    assert (gp.initial_steps, gp.learning_rate) == (MOST_STEPS, LARGEST_RATE)
