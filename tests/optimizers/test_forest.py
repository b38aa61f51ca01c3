"""The forest keeps the promises of `Optimizer`, and knows what a cap and a failure mean."""

import numpy as np
import pytest

from llmtune.trial import Trial, TrialStatus
from optimizers.forest import Forest, descendant
from optimizers.grid import Grid
from optimizers.local_search import climb
from optimizers.space import UnitCube
from optimizers.trees import Trees, censored_trees, mean_beyond
from tests.optimizers.conformance import OptimizerConformance, knob_space, projected, succeeded
from workloads.objective import LATENCY

FEW = ("work_mem", "shared_buffers", "wal_buffers", "enable_nestloop", "wal_compression")


class TestForest(OptimizerConformance):
    trials = 7

    @pytest.fixture
    def space(self):
        return knob_space().subset(FEW)

    def build(self, space, objective, seed):
        return Forest(space, objective, seed, projected(space), startup_trials=5)


def test_what_lies_beyond_a_bound_is_at_least_the_bound():
    bound, mean = np.array([0.0, 2.0, -9.0, 60.0]), np.zeros(4)
    found = mean_beyond(bound, mean, np.ones(4))
    assert found[0] == pytest.approx(np.sqrt(2 / np.pi))
    assert found[2] == pytest.approx(0.0, abs=1e-6)
    assert (found >= bound).all()
    assert np.isfinite(found).all()


def test_a_capped_trial_counts_for_more_where_the_trials_beside_it_are_worse():
    """Half of the space costs 3; trials there that were stopped at 1 are believed to too."""
    rng = np.random.default_rng(0)
    points = rng.uniform(size=(60, 2))
    bad = points[:, 0] > 0.5
    real = np.where(bad, 3.0, 0.5)
    capped = bad & (np.arange(60) % 2 == 0)
    losses = np.where(capped, 1.0, real)
    there = np.array([[0.8, 0.5]])
    plain = Trees(points, losses, 0).predict(there)[0]
    told = censored_trees(points, losses, losses, capped, 0).predict(there)[0]
    assert plain < told
    assert told == pytest.approx(3.0, abs=0.7)


def test_places_where_all_trials_fail_are_left():
    space = knob_space().subset(["work_mem", "enable_nestloop"])
    forest = Forest(space, LATENCY, 0)
    proposed = []
    for number in range(20):
        asked = forest.ask()
        broken = not asked["enable_nestloop"]
        status = TrialStatus.CRASHED if broken else TrialStatus.SUCCEEDED
        value = None if broken else 10.0 - space["work_mem"].position(asked["work_mem"])
        forest.tell(Trial(number, "test", asked, status, value))
        proposed.append(broken)
    assert sum(proposed[:10]) >= 3
    assert sum(proposed[10:]) <= 1


def test_it_finds_the_best_choice_and_special_value():
    space = knob_space().subset(["wal_buffers", "wal_compression", "work_mem"])
    forest = Forest(space, LATENCY, 1)
    for number in range(25):
        asked = forest.ask()
        value = 4.0 - (asked["wal_buffers"] == -1) - (asked["wal_compression"] == "pglz")
        forest.tell(succeeded(number, asked, value))
    assert forest.best.value == 2.0


def test_points_of_one_configuration_are_moved_to_one_place():
    space = knob_space()
    cube = UnitCube(space)
    points = np.random.default_rng(2).uniform(size=(20, len(space.knobs)))
    snapped = Grid(tuple(cube.axes.values())).snap(points)
    for point, place in zip(points, snapped, strict=True):
        assert cube.at(point) == cube.at(place)
    categorical = [at for at, axis in enumerate(cube.axes.values()) if axis.choices]
    told = np.array([cube.vector(cube.at(place)) for place in snapped])
    assert np.allclose(told[:, categorical], snapped[:, categorical])


def test_a_candidate_has_much_of_its_parents():
    parents = np.array([[2.0] * 6, [3.0] * 6])  # outside the cube: no draw is equal by chance
    rng = np.random.default_rng(0)
    children = [descendant(parents, rng) for _ in range(300)]
    mixed = [child for child in children if {2.0, 3.0} <= set(child)]
    assert all(set(child) == {2.0, 3.0} for child in mixed)
    assert 50 < len(mixed) < 120  # half are mixes, and half of these of one with itself
    drawn = [child for child in children if child.min() < 2.0]
    assert all(child[(child != 2.0) & (child != 3.0)].max() <= 1.0 for child in drawn)


def test_a_climb_ends_on_the_hill():
    space = knob_space().subset(["work_mem", "shared_buffers"])
    axes = tuple(UnitCube(space).axes.values())
    peak = np.array([0.3, 0.8])
    found = climb(
        np.full((3, 2), 0.5), axes,
        lambda table: -((table - peak) ** 2).sum(axis=1), np.random.default_rng(0),
    )  # fmt: skip
    assert np.abs(found - peak).max() < 0.1
