"""Importance finds the knobs that matter and no others; narrowing goes on with them."""

import numpy as np
import pytest

from llmtune.benchmark.synthetic import Behaviour, SyntheticEvaluator
from llmtune.errors import UsageError
from llmtune.trial import Trial, TrialStatus
from optimizers.importance import LEAST_CONFIGURATIONS, importance, total_effects
from optimizers.narrowed import Narrowed, Narrowing
from optimizers.random_search import RandomSearch
from optimizers.registry import optimizer
from optimizers.restart_saving import within_a_level
from optimizers.space import UnitCube
from tests.optimizers.conformance import OptimizerConformance, knob_space, projected, succeeded
from workloads.objective import LATENCY

FEW = ("work_mem", "shared_buffers", "wal_buffers", "enable_nestloop", "wal_compression")


def searched(space, trials, behaviour, seed=0):
    """An evaluator and as many trials of random search on it."""
    evaluator = SyntheticEvaluator(space, seed, behaviour)
    search = RandomSearch(space, LATENCY, seed)
    done = []
    for number in range(trials):
        done.append(evaluator.measure(search.ask(), number=number, source="random"))
        search.tell(done[-1])
    return evaluator, done


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("trials", "found"), [(20, 1), (40, 2), (100, 2)])
def test_the_first_are_knobs_that_matter(trials, found, seed):
    evaluator, done = searched(knob_space(), trials, Behaviour(active=4, noise=0.03), seed)
    ranked = importance(knob_space(), LATENCY, done)
    assert {one.name for one in ranked[:found]} <= set(evaluator.active)
    assert {one.name for one in ranked if one.matters} <= set(evaluator.active)
    assert ranked[0].matters or trials < 100  # fewer may leave it open, and then it is said so


def test_noise_alone_makes_no_knob_matter():
    _, done = searched(knob_space(), 40, Behaviour(optimum_gain=1.0, noise=0.1))
    assert not any(one.matters for one in importance(knob_space(), LATENCY, done))


def test_shares_lie_in_their_intervals_and_between_0_and_1():
    _, done = searched(knob_space(), 30, Behaviour(crash_share=0.2))
    ranked = importance(knob_space(), LATENCY, done)
    assert [one.name for one in ranked] != list(knob_space().names)
    assert {one.name for one in ranked} == set(knob_space().names)
    for one in ranked:
        assert 0 <= one.interval[0] <= one.interval[1] <= 1
    assert ranked == importance(knob_space(), LATENCY, done)


def mean_effects(surface, points):
    """Over so many draws that what is left of their luck does not count."""
    rng = np.random.default_rng(0)
    return np.mean([total_effects(surface, points, rng) for _ in range(50)], axis=0)


def test_total_effects_are_of_the_variance_over_the_points_own_coordinates():
    rng = np.random.default_rng(0)
    points = rng.uniform(size=(60, 3)) * [1.0, 0.5, 1.0]
    spread = points.var(axis=0)
    halves = mean_effects(lambda p: 2 * p[:, 0] + 4 * p[:, 1], points)
    variances = np.array([4 * spread[0], 16 * spread[1], 0.0])
    assert halves == pytest.approx(variances / variances.sum(), abs=0.02)


def test_what_only_acts_together_has_all_of_the_effect_each():
    points = np.random.default_rng(0).uniform(size=(60, 2))
    middle = points.mean(axis=0)
    together = mean_effects(lambda p: np.prod(p - middle, axis=1), points)
    assert together == pytest.approx([1.0, 1.0], abs=0.1)
    assert mean_effects(lambda p: np.ones(len(p)), points).tolist() == [0.0, 0.0]


def converged(space, weights, trials):
    """Trials of which three in four are near one place; the log of the value is a sum.

    Also the variances of its terms, over the trials.
    """
    rng, cube = np.random.default_rng(0), UnitCube(space)
    near = rng.uniform(0.45, 0.55, size=(trials, len(space.names)))
    drawn = np.where(np.arange(trials)[:, None] % 4, near, rng.uniform(size=near.shape))
    done, terms = [], []
    for number, point in enumerate(drawn):
        configuration = cube.at(point)
        terms.append([w * cube.point(configuration)[name] for name, w in weights.items()])
        done.append(succeeded(number, configuration, float(np.exp(sum(terms[-1])))))
    return done, np.var(terms, axis=0)


@pytest.mark.parametrize("second", [1.0, 0.5])
def test_a_session_that_converged_tells_the_shares_of_two_knobs(second):
    weights = {"shared_buffers": 1.0, "random_page_cost": second}
    space = knob_space().subset([*weights, "work_mem", "effective_cache_size"])
    done, variances = converged(space, weights, 100)
    shares = {one.name: one.share for one in importance(space, LATENCY, done)}
    found = [shares[name] for name in weights]
    assert found == pytest.approx(variances / variances.sum(), abs=0.15)


def test_too_few_configurations_say_nothing():
    space = knob_space()
    repeats = [succeeded(number, space.default(), 1.0 + number) for number in range(40)]
    failed = [Trial(0, "test", space.default(), TrialStatus.CRASHED)]
    _, few = searched(space, LEAST_CONFIGURATIONS - 1, Behaviour())
    for trials in ([], failed, repeats, few):
        assert importance(space, LATENCY, trials) == ()


class TestNarrowed(OptimizerConformance):
    """Over a space of few knobs, of which random search keeps two."""

    trials = 26
    learns = False  # prior data alone do not bring narrowing on
    roomy = False

    @pytest.fixture
    def space(self):
        return knob_space().subset(FEW)

    def build(self, space, objective, seed):
        def rebuild(few, project):
            return RandomSearch(few, objective, seed, project)

        project = projected(space)
        return Narrowed(rebuild(space, project), rebuild, project, Narrowing(2, 20))


def test_it_goes_on_with_the_important_knobs_around_the_incumbent():
    space = knob_space()
    evaluator = SyntheticEvaluator(space, 0, Behaviour(active=2, noise=0.01))
    narrowed = optimizer("random", space, LATENCY, 0, narrowing=Narrowing(4, 30))
    for number in range(30):
        narrowed.tell(evaluator.measure(narrowed.ask(), number=number, source="test"))
    best = narrowed.best.configuration
    for number in range(30, 35):
        asked = narrowed.ask()
        changed = set(asked.changes(best))
        assert len(changed) <= 4
        assert changed & set(evaluator.active)
        narrowed.tell(succeeded(number, asked, 99.0))


def near_the_top(space, number, asked):
    """A trial that is the better, the more both kinds of memory it gives."""
    memory = [space[name].position(asked[name]) for name in ("shared_buffers", "work_mem")]
    return succeeded(number, asked, 10.0 - sum(memory))


def test_restarts_are_saved_in_a_narrowed_search_too():
    space = knob_space().subset(FEW)
    narrowed = optimizer(
        "random", space, LATENCY, 0, save_restarts=True, narrowing=Narrowing(2, 15)
    )
    for number in range(15):
        narrowed.tell(near_the_top(space, number, narrowed.ask()))
    present = narrowed.best.configuration
    narrowed.tell(near_the_top(space, 15, present))
    asked = [narrowed.ask() for _ in range(40)]
    assert all(set(one.changes(present)) <= {"shared_buffers", "work_mem"} for one in asked)
    buffers = [one["shared_buffers"] for one in asked]
    here, knob = present["shared_buffers"], space["shared_buffers"]
    near = [one for one in buffers if within_a_level(knob, one, here)]
    assert 0 < len(near) < len(buffers)
    assert set(near) == {here}


def test_the_wrapped_optimizers_only_learn_prior_data():
    space, built = knob_space().subset(FEW), []

    def rebuild(few, project):
        built.append(RandomSearch(few, LATENCY, 0, project))
        return built[-1]

    project = projected(space)
    narrowed = Narrowed(rebuild(space, project), rebuild, project, Narrowing(2, 15))
    narrowed.learn(succeeded(-1, space.default(), 0.1))
    assert built[0].best is None
    for number in range(15):
        narrowed.tell(near_the_top(space, number, narrowed.ask()))
    assert len(built) == 2
    assert built[1].best.value == narrowed.best.value > 1


def test_prior_data_do_not_bring_narrowing_on():
    """Nor are they this session's incumbent, or in force on its server."""
    space = knob_space().subset(FEW)
    narrowing = Narrowing(2, 15)
    wide = optimizer("random", space, LATENCY, 0)
    narrowed = optimizer("random", space, LATENCY, 0, save_restarts=True, narrowing=narrowing)
    _, prior = searched(space, 20, Behaviour(), seed=1)
    for trial in prior:
        wide.learn(trial)
        narrowed.learn(trial)
    assert narrowed.best is None
    assert [narrowed.ask() for _ in range(20)] == [wide.ask() for _ in range(20)]


@pytest.mark.parametrize(("keep", "after"), [(0, 20), (3, LEAST_CONFIGURATIONS - 1)])
def test_narrowing_too_far_or_too_soon_is_refused(keep, after):
    with pytest.raises(UsageError):
        Narrowing(keep, after)
