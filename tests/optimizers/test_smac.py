"""Over arrays SMAC's surface is the same as over its own objects."""

import numpy as np
import pytest
from ConfigSpace import Configuration
from smac.acquisition.function import EI

from optimizers.smac import Surface, configuration_space, log_scaled
from optimizers.space import UnitCube
from tests.optimizers.conformance import knob_space

KNOBS = ("work_mem", "random_page_cost", "wal_compression", "jit")


@pytest.fixture
def cube():
    return UnitCube(knob_space().subset(KNOBS))


def drawn(cube, count, seed):
    """Points at which configurations really are."""
    points = np.random.default_rng(seed).uniform(size=(count, len(cube.axes)))
    return np.array([cube.vector(cube.at(point)) for point in points])


def objects(cube, points):
    space = configuration_space(tuple(cube.axes.values()))
    mixed = (cube.mixed(point).values() for point in points)
    return [Configuration(space, dict(zip(space, one, strict=True))) for one in mixed]


def test_the_improvement_is_that_of_its_own_acquisition(cube):
    points, there = drawn(cube, 20, 0), drawn(cube, 50, 1)
    surface = Surface(tuple(cube.axes.values()), points, points[:, 0] - points[:, 2], 0)
    own = EI(log=True)
    own.update(model=surface.forest, eta=surface.best)
    expected = own(objects(cube, there))[:, 0]
    assert expected.max() > 0
    assert surface.improvement(there) == pytest.approx(expected, abs=1e-9)


def test_it_expects_little_where_losses_were_little(cube):
    points = drawn(cube, 30, 2)
    surface = Surface(tuple(cube.axes.values()), points, points[:, 0], 0)
    expected = surface.means(points)
    assert np.corrcoef(expected, points[:, 0])[0, 1] > 0.8
    assert surface.best == expected.min()


def test_scaling_spreads_the_best_losses_and_keeps_the_order():
    losses = np.linspace(2.0, 4.0, 41)
    scaled = log_scaled(losses)
    assert scaled[-1] == pytest.approx(0.0)
    assert (np.diff(scaled) > 0).all()
    assert np.diff(scaled)[0] > 5 * np.diff(scaled)[-1]
    assert (log_scaled(np.ones(3)) == 0.0).all()
