"""On a surface of eight numbers, with failures and caps, learning beats drawing."""

from statistics import median

import pytest

from llmtune.benchmark.synthetic import Behaviour, SyntheticEvaluator
from optimizers import registry
from tests.optimizers.conformance import knob_space
from workloads.objective import LATENCY

NUMBERS = (
    "work_mem", "random_page_cost", "cpu_tuple_cost", "default_statistics_target",
    "effective_cache_size", "parallel_setup_cost", "max_wal_size", "checkpoint_timeout",
)  # fmt: skip
SEEDS = range(6)
TRIALS = 30


def best_of(name, seed):
    """The best noise-free value that an optimizer finds; a crash in ten, caps at 1.5 times."""
    space = knob_space().subset(NUMBERS)
    evaluator = SyntheticEvaluator(space, seed, Behaviour(active=8, noise=0.02, crash_share=0.1))
    optimizer = registry.optimizer(name, space, LATENCY, seed)
    for number in range(TRIALS):
        asked = optimizer.ask()
        cap = None if optimizer.best is None else 1.5 * optimizer.best.value
        optimizer.tell(evaluator.measure(asked, number=number, source=name, cap=cap))
    return evaluator.value(optimizer.best.configuration)


@pytest.fixture(scope="module")
def chance():
    return median(best_of("random", seed) for seed in SEEDS)


@pytest.mark.parametrize("name", ["forest", "llamatune+cmaes", "llamatune+tpe"])
def test_it_finds_better_than_random_search_does(name, chance):
    assert median(best_of(name, seed) for seed in SEEDS) < chance
