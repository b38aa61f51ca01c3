"""DDPG keeps the promises of `Optimizer`, and its reward is CDBTune's."""

import numpy as np
import pytest
import torch

from llmtune.benchmark.synthetic import Behaviour, SyntheticEvaluator
from optimizers.ddpg import DDPG, observed, rewards_of
from tests.optimizers.conformance import OptimizerConformance, knob_space, projected
from workloads.objective import LATENCY, THROUGHPUT

pytestmark = pytest.mark.usefixtures("one_thread")


class TestDDPG(OptimizerConformance):
    trials = 6

    @pytest.fixture
    def space(self):
        return knob_space().subset(["work_mem", "shared_buffers", "wal_buffers", "wal_compression"])

    def build(self, space, objective, seed):
        return DDPG(space, objective, seed, projected(space), startup_trials=5)


def test_the_reward_compares_with_the_first_and_with_the_previous_trial():
    seconds = np.array([10.0, 5.0, 8.0, 20.0])
    better, less, worse = rewards_of(np.log(seconds), LATENCY)
    assert better == pytest.approx((1.5**2 - 1) * 1.5)
    assert less == 0.0
    assert worse == pytest.approx(-((1 + 1.0) ** 2 - 1) * (1 + 1.5))


def test_a_rate_that_doubled_has_gained_all_of_what_it_was():
    rate = np.array([10.0, 20.0, 15.0, 5.0])
    better, less, worse = rewards_of(-np.log(rate), THROUGHPUT)
    assert better == pytest.approx((2.0**2 - 1) * 2.0)
    assert less == 0.0
    assert worse == pytest.approx(-((1 + 0.5) ** 2 - 1) * (1 + 2 / 3))


def test_the_state_is_relative_to_the_first_trial():
    times = [{"q1": 1.0, "q2": 4.0}, {"q1": 2.0}, {}]
    states = observed(np.log([5.0, 2.5, 10.0]), times)
    assert states[0] == pytest.approx([0, 0, 0, 0])
    assert states[1] == pytest.approx([-np.log(2), -np.log(2), np.log(2), 0])
    assert states[2] == pytest.approx([np.log(2), -np.log(2), 0, 0])


def test_the_state_has_the_queries_of_the_first_trial_that_tells_times():
    """Prior data tell none; failures may not either."""
    times = [{}, {"q1": 1.0, "q2": 4.0}, {"q1": 2.0, "q2": 4.0}]
    states = observed(np.log([5.0, 5.0, 6.0]), times)
    assert states[:, 2:] == pytest.approx(np.array([[0, 0], [0, 0], [np.log(2), 0]]))
    assert observed(np.log([5.0, 6.0]), [{}, {}]).shape == (2, 2)


def test_the_random_state_of_others_is_left_alone():
    space = knob_space().subset(["work_mem"])
    optimizer = DDPG(space, LATENCY, 0, startup_trials=1)
    evaluator = SyntheticEvaluator(space, 0, Behaviour(active=1))
    for number in range(2):
        optimizer.tell(evaluator.measure(optimizer.ask(), number=number, source="test"))
    with torch.random.fork_rng():
        torch.manual_seed(1)  # another state than an ask before this would have left
        before = torch.random.get_rng_state()
        for _ in range(10):  # of ten asks some follow the actor, which alone draws from torch
            optimizer.ask()
        assert torch.equal(before, torch.random.get_rng_state())
