import pytest

from llmtune.benchmark.synthetic import Behaviour, SyntheticEvaluator
from llmtune.trial import Trial, TrialStatus
from optimizers.random_search import RandomSearch
from optimizers.tpe import TPE
from tests.optimizers.conformance import (
    WITHOUT_VALUE,
    OptimizerConformance,
    knob_space,
    projected,
    succeeded,
)
from workloads.objective import LATENCY, Direction, Objective


class TestTPE(OptimizerConformance):
    def build(self, space, objective, seed):
        return TPE(space, objective, seed, projected(space))


KNOBS = ["work_mem", "random_page_cost", "effective_cache_size", "cpu_tuple_cost"]


def mean_of_last(optimizer, evaluator, answer):
    """Noise-free mean value of the last ten of fifty asks."""
    values = []
    for number in range(50):
        asked = optimizer.ask()
        optimizer.tell(answer(number, asked))
        values.append(evaluator.value(asked))
    return sum(values[-10:]) / 10


def measured(evaluator):
    return lambda number, asked: evaluator.measure(asked, number=number, source="t")


@pytest.mark.parametrize("seed", [0, 1])
def test_it_comes_closer_to_the_optimum_than_random_search(seed):
    space = knob_space().subset(KNOBS)
    evaluator = SyntheticEvaluator(space, seed, Behaviour(optimum_gain=4.0, noise=0.0))
    tpe = mean_of_last(TPE(space, LATENCY, seed), evaluator, measured(evaluator))
    random = mean_of_last(RandomSearch(space, LATENCY, seed), evaluator, measured(evaluator))
    assert tpe < random


def test_it_maximises_when_the_objective_says_so():
    space = knob_space().subset(KNOBS)
    throughput = Objective("throughput", "1/s", Direction.MAXIMIZE)
    optimizer = TPE(space, throughput, 0)
    work_mem = space["work_mem"]
    for number in range(40):
        asked = optimizer.ask()
        optimizer.tell(succeeded(number, asked, 1.0 + work_mem.position(asked["work_mem"])))
    last = [work_mem.position(optimizer.ask()["work_mem"]) for _ in range(5)]
    assert sum(last) / 5 > 0.6


@pytest.mark.parametrize("status", [*WITHOUT_VALUE, TrialStatus.CAPPED])
def test_it_keeps_away_from_where_trials_fail(status):
    """The upper half of work_mem always fails, whatever the kind of failure."""
    space = knob_space().subset(KNOBS)
    optimizer, knob = TPE(space, LATENCY, 0), space["work_mem"]
    bound = 99.0 if status is TrialStatus.CAPPED else None
    upper = []
    for number in range(60):
        asked = optimizer.ask()
        fails = knob.position(asked["work_mem"]) > 0.5
        upper.append(fails)
        failure = Trial(number, "t", asked, status, bound)
        optimizer.tell(failure if fails else succeeded(number, asked, 5.0))
    assert sum(upper[-20:]) < 10


def test_each_ask_of_the_same_configuration_is_closed_by_a_trial_of_its_own():
    """What waited no more would go on to keep the sampler away from there."""
    space = knob_space().subset(["jit", "enable_nestloop", "enable_memoize"])
    whole, resumed = (TPE(space, LATENCY, 0, startup_trials=3) for _ in range(2))
    asked = [whole.ask() for _ in range(20)]
    assert len(set(asked)) < len(asked)
    for number, configuration in enumerate(asked):
        for optimizer in (whole, resumed):
            optimizer.tell(succeeded(number, configuration, 1.0 + number % 7))
    assert [resumed.ask() for _ in range(5)] == [whole.ask() for _ in range(5)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ahead", [0, 1])
def test_all_of_a_small_space_is_tried_before_anything_twice(seed, ahead):
    """Also where the next one is asked for while the last one runs."""
    space = knob_space().subset(["jit", "enable_nestloop"])
    optimizer = TPE(space, LATENCY, seed)
    asked = [optimizer.ask() for _ in range(ahead)]
    for number in range(4 - ahead):
        asked.append(optimizer.ask())
        optimizer.tell(succeeded(number, asked[number], 1.0 + number))
    assert len(set(asked)) == 4
