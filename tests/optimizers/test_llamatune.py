"""The LlamaTune layer keeps the promises of `Optimizer` over any optimizer."""

import numpy as np
import pytest

from llmtune.errors import UnknownName, UsageError
from llmtune.knobs.configuration import Configuration
from optimizers import registry
from optimizers.cmaes import CMAES
from optimizers.embedding import BIAS, BUCKETS, DIMENSIONS, Embedding
from optimizers.gp import GP
from optimizers.llamatune import LlamaTune
from optimizers.model_based import STARTUP_TRIALS
from optimizers.random_search import RandomSearch
from tests.optimizers.conformance import OptimizerConformance, knob_space, projected, succeeded
from workloads.objective import LATENCY

pytestmark = pytest.mark.usefixtures("one_thread")


def short_gp(*arguments):
    return GP(*arguments, startup_trials=5)


class TestOverCMAES(OptimizerConformance):
    trials = 16

    def build(self, space, objective, seed):
        return LlamaTune(space, objective, seed, projected(space), inner=CMAES)


class TestOverGP(OptimizerConformance):
    trials = 6

    @pytest.fixture
    def space(self):
        return knob_space().subset(["work_mem", "shared_buffers", "wal_buffers", "wal_compression"])

    def build(self, space, objective, seed):
        return LlamaTune(space, objective, seed, projected(space), inner=short_gp, startup_trials=5)


@pytest.fixture
def embedding():
    return Embedding(knob_space(), 3)


def drawn(embedding, rng):
    return Configuration({name: int(rng.integers(BUCKETS)) for name in embedding.low.names})


def test_few_synthetic_knobs_stand_for_all(embedding):
    assert len(embedding.low.names) == DIMENSIONS
    space = knob_space().subset(["work_mem", "jit"])
    assert len(Embedding(space, 0).low.names) == 2


def test_every_synthetic_knob_moves_something(embedding):
    middle = embedding.low.default()
    for name in embedding.low.names:
        ends = [Configuration({**middle, name: bucket}) for bucket in (0, BUCKETS - 1)]
        assert embedding.configuration(ends[0]) != embedding.configuration(ends[1])


def test_what_was_proposed_is_found_again(embedding):
    rng = np.random.default_rng(1)
    for _ in range(20):
        proposed = embedding.configuration(drawn(embedding, rng))
        assert embedding.configuration(embedding.preimage(proposed)) == proposed


def test_any_configuration_has_a_nearest_point(embedding):
    space = knob_space()
    near = embedding.preimage(space.default())
    embedding.low.validate(near)
    assert tuple(near) == tuple(embedding.low.names)


def test_a_fifth_of_the_range_is_special():
    space = knob_space().subset(["wal_buffers"])
    embedding = Embedding(space, 0)
    (name,) = embedding.low.names
    values = [
        embedding.configuration(Configuration({name: bucket}))["wal_buffers"]
        for bucket in range(0, BUCKETS, 5)
    ]
    assert values.count(-1) / len(values) == pytest.approx(BIAS, abs=0.03)


def test_warm_starts_reach_the_wrapped_optimizer():
    space = knob_space()
    optimizer = registry.optimizer("llamatune+cmaes", space, LATENCY, 0)
    told = succeeded(0, space.default(), 3.0)
    optimizer.tell(told)
    assert optimizer.best is told
    space.validate(optimizer.ask())


def test_names_say_what_is_wrapped():
    space = knob_space().subset(["work_mem", "jit"])
    assert registry.optimizer("llamatune+tpe", space, LATENCY, 0).name == "llamatune+tpe"
    assert registry.optimizer("llamatune", space, LATENCY, 0).name == "llamatune"
    for wrong in ("llamatune+", "llamatune+none", "llamatune+llamatune", "gp+tpe"):
        with pytest.raises(UnknownName):
            registry.check_name(wrong)


def test_what_looks_at_plans_cannot_be_wrapped():
    with pytest.raises(UsageError, match=r"llamatune cannot wrap plan.*choose plan alone"):
        registry.check_name("llamatune+plan")


def test_it_begins_around_the_baseline():
    space = knob_space()
    optimizer = LlamaTune(space, LATENCY, 0, inner=CMAES)
    baseline = space.baseline()
    kept = [sum(asked[n] == baseline[n] for n in space.names) for asked in started(optimizer)]
    assert max(kept) > len(space.names) / 2


def test_an_inner_optimizer_that_draws_for_longer_does_not_begin_again():
    """CMA-ES's first generation in sixteen synthetic knobs is twelve trials."""
    space = knob_space()
    drawing = LlamaTune(space, LATENCY, 0, inner=RandomSearch, startup_trials=13)
    drawn = list(started(drawing, 13))
    asked = list(started(LlamaTune(space, LATENCY, 0, inner=CMAES), 13))
    assert asked[:12] == drawn[:12]
    assert asked[12] != drawn[12], "now it is CMA-ES's choice"


def started(optimizer, trials=STARTUP_TRIALS):
    for number in range(trials):
        asked = optimizer.ask()
        optimizer.tell(succeeded(number, asked, 1.0 + number))
        yield asked
