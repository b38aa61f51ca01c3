"""Every backend keeps the promises of `Optimizer`, and asks where it was told that it is better."""

import subprocess
import sys
from statistics import fmean

import numpy as np
import pytest

from llmtune.benchmark.synthetic import SyntheticEvaluator
from llmtune.benchmark.synthetic_plans import SyntheticPlans
from llmtune.knobs.configuration import Configuration
from optimizers import registry
from optimizers.cmaes import CMAES
from optimizers.gp import GP
from optimizers.hebo import HEBO
from optimizers.smac import SMAC
from optimizers.sobol import SobolSearch
from optimizers.space import UnitCube
from optimizers.turbo import TuRBO
from tests.optimizers.conformance import OptimizerConformance, knob_space, projected, succeeded
from workloads.objective import LATENCY, THROUGHPUT, Objective

MEMORY_AND_CHOICES = (
    "work_mem",
    "hash_mem_multiplier",
    "shared_buffers",
    "wal_buffers",
    "enable_nestloop",
    "wal_compression",
)
"""Numbers, special values, a joint constraint and choices."""

WITH_A_MODEL = (
    "cmaes", "ddpg", "forest", "gp", "hebo", "llamatune", "llamatune+cmaes", "smac", "tpe",
    "turbo",
)  # fmt: skip
"""All but `plan`, which tests of its own look into, and the controls."""

TOLD, ASKED = 12, 2


pytestmark = pytest.mark.usefixtures("one_thread")


class TestSobol(OptimizerConformance):
    learns = False

    def build(self, space, objective, seed):
        return SobolSearch(space, objective, seed, projected(space))


class TestCMAES(OptimizerConformance):
    trials = 34

    def build(self, space, objective, seed):
        return CMAES(space, objective, seed, projected(space))


class SlowConformance(OptimizerConformance):
    """The same promises on a small space, and no further than the model's first asks."""

    trials = 7

    @pytest.fixture
    def space(self):
        return knob_space().subset(MEMORY_AND_CHOICES)


class TestGP(SlowConformance):
    def build(self, space, objective, seed):
        return GP(space, objective, seed, projected(space), startup_trials=5)


class TestHEBO(SlowConformance):
    trials = 8  # more than knobs, else it only draws

    def build(self, space, objective, seed):
        return HEBO(space, objective, seed, projected(space), startup_trials=5)


class TestSMAC(SlowConformance):
    def build(self, space, objective, seed):
        return SMAC(space, objective, seed, projected(space), startup_trials=5)


class TestTuRBO(SlowConformance):
    def build(self, space, objective, seed):
        return TuRBO(space, objective, seed, projected(space), startup_trials=5)


def asked_place(name: str, objective: Objective) -> float:
    """About where an optimizer asks for the first of two knobs, with which values rise."""
    space = knob_space().subset(["random_page_cost", "cpu_tuple_cost"])
    optimizer, cube = registry.optimizer(name, space, objective, 0), UnitCube(space)

    def tell(number: int, configuration: Configuration) -> float:
        place = float(cube.vector(configuration)[0])
        optimizer.tell(succeeded(number, configuration, 4.0**place))
        return place

    for number in range(TOLD):
        places = np.array([7 * number % TOLD, 5 * number % TOLD])
        tell(number, cube.at((places + 0.5) / TOLD))
    return fmean(tell(number, optimizer.ask()) for number in range(TOLD, TOLD + ASKED))


@pytest.mark.parametrize("name", WITH_A_MODEL)
def test_the_same_values_lead_it_one_way_as_seconds_and_the_other_as_rates(name):
    low, high = (asked_place(name, objective) for objective in (LATENCY, THROUGHPUT))
    assert high - low > 0.3, (low, high)


@pytest.mark.parametrize("name", registry.names())
def test_every_name_builds_an_optimizer_of_that_name(name):
    space = knob_space().subset(MEMORY_AND_CHOICES)
    plans = SyntheticPlans(SyntheticEvaluator(space, 0))
    assert registry.optimizer(name, space, LATENCY, 0, what_if=plans).name == name


@pytest.mark.parametrize(
    ("name", "package"), [("hebo", "leanhebo"), ("smac", "smac"), ("turbo", "botorch")]
)
def test_a_missing_extra_is_named(name, package):
    """Before anything is loaded for it, too; run apart, where the package cannot be imported."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from llmtune.errors import UsageError\n"
        "from optimizers.registry import check_name, looks_at_plans, optimizer\n"
        f"looks_at_plans({name!r})\n"
        "for call in (check_name, lambda name: optimizer(name, None, None, 0)):\n"
        f"    try: call({name!r})\n"
        "    except UsageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told = done.stdout.splitlines()
    assert len(told) == 2
    for line in told:
        assert (
            f"needs the package {package}; install it with: pip install 'llmtune[{name}]'" in line
        )
