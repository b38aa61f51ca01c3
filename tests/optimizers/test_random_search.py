from optimizers.random_search import RandomSearch
from tests.optimizers.conformance import OptimizerConformance, knob_space, projected
from workloads.objective import LATENCY


class TestRandomSearch(OptimizerConformance):
    learns = False

    def build(self, space, objective, seed):
        return RandomSearch(space, objective, seed, projected(space))


def test_every_knob_is_explored_from_end_to_end():
    space = knob_space().subset(["work_mem", "jit", "random_page_cost"])
    optimizer = RandomSearch(space, LATENCY, 0)
    asked = [optimizer.ask() for _ in range(300)]
    positions = [space["work_mem"].position(configuration["work_mem"]) for configuration in asked]
    assert min(positions) < 0.05
    assert max(positions) > 0.95
    assert {configuration["jit"] for configuration in asked} == {False, True}
