import pytest

from llmtune.errors import UnknownName
from llmtune.knobs.memory import fits
from optimizers import registry
from optimizers.random_search import RandomSearch
from optimizers.rules import rule_configuration
from optimizers.warm_start import (
    Proposal,
    WarmStarted,
    default_proposal,
    portfolio,
    rules_proposal,
)
from tests.optimizers.conformance import OptimizerConformance, knob_space, projected, succeeded
from workloads.objective import LATENCY

SPACE = knob_space()
DEFAULT, RULES = default_proposal(SPACE), rules_proposal(SPACE)


def warm(*proposals):
    return WarmStarted(RandomSearch(SPACE, LATENCY, 0), proposals)


class TestWarmStarted(OptimizerConformance):
    learns = False
    proposed = 2

    def build(self, space, objective, seed):
        inner = RandomSearch(space, objective, seed, projected(space))
        return WarmStarted(inner, [default_proposal(space), rules_proposal(space)])


class TestAsASessionHasIt(OptimizerConformance):
    """From the registry, keeping restart knobs where they are, behind proposals."""

    proposed = 2

    @pytest.fixture
    def space(self):
        return SPACE.subset(["work_mem", "shared_buffers", "wal_buffers", "wal_compression"])

    def build(self, space, objective, seed):
        inner = registry.optimizer("cmaes", space, objective, seed, save_restarts=True)
        return WarmStarted(inner, [default_proposal(space), rules_proposal(space)])


def test_proposals_come_first_in_order_then_the_optimizer():
    optimizer = warm(DEFAULT, RULES)
    sources = [optimizer.propose().source for _ in range(4)]
    assert sources == ["default", "rules", "random", "random"]


def test_told_proposals_are_not_asked_again():
    optimizer = warm(DEFAULT, DEFAULT, RULES)
    optimizer.tell(succeeded(0, DEFAULT.configuration, 3.0))
    assert [optimizer.propose().source for _ in range(3)] == ["default", "rules", "random"]


def test_an_answered_proposal_does_not_strike_off_its_repeat():
    optimizer = warm(DEFAULT, DEFAULT)
    assert optimizer.propose() == DEFAULT
    optimizer.tell(succeeded(0, DEFAULT.configuration, 3.0))
    assert optimizer.propose() == DEFAULT


def test_the_wrapped_optimizer_learns_from_proposals():
    inner = RandomSearch(SPACE, LATENCY, 0)
    WarmStarted(inner, [RULES]).tell(succeeded(0, RULES.configuration, 3.0))
    assert inner.best is not None
    assert inner.best.configuration == RULES.configuration


def test_prior_data_answer_no_proposal_and_reach_the_wrapped_optimizer_as_such():
    inner = RandomSearch(SPACE, LATENCY, 0)
    optimizer = WarmStarted(inner, [RULES])
    optimizer.learn(succeeded(-1, RULES.configuration, 3.0))
    assert inner.best is None
    assert optimizer.propose() == RULES


def test_a_portfolio_has_each_configuration_once_under_its_first_source():
    same = Proposal("model", DEFAULT.configuration)
    assert portfolio(DEFAULT, same, RULES, RULES) == (DEFAULT, RULES)


@pytest.mark.parametrize("memory", [1 << 28, 1 << 30, 1 << 33, 1 << 38])
@pytest.mark.parametrize("clients", [1, 64])
def test_rules_are_valid_and_fit_on_any_hardware(memory, clients):
    space = knob_space(memory)
    configuration = rule_configuration(space, clients)
    space.validate(configuration)
    assert fits(configuration, space, clients)


def test_rules_give_a_quarter_of_memory_to_shared_buffers():
    blocks = rule_configuration(SPACE)["shared_buffers"]
    assert isinstance(blocks, int)
    assert blocks * 8192 == pytest.approx(SPACE.hardware.memory / 4, rel=0.05)


def test_rules_touch_only_the_knobs_of_the_space():
    assert set(rule_configuration(SPACE.subset(["work_mem", "jit"]))) == {"work_mem", "jit"}


def test_an_unknown_optimizer_is_named_with_the_known_ones():
    with pytest.raises(UnknownName, match=r"tpee.*did you mean 'tpe'.*random"):
        registry.optimizer("tpee", SPACE, LATENCY, 0)
