"""The libraries by themselves start where our backends start, and search where they may."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import numpy as np
import pytest

from llmtune.benchmark.synthetic import SyntheticEvaluator
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.memory import fits
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.trial import Trial
from optimizers.space import UnitCube


@pytest.fixture
def script(beside_scripts):
    return import_module("against_library")


def small(*knobs: str) -> KnobSpace:
    return resolve_space(load_catalogue(), 18, Hardware(2, 1 << 30), knobs)


@pytest.mark.parametrize("library", ["tpe", "gp", "cmaes", "hebo", "smac"])
def test_each_library_has_the_default_first(library: str, script) -> None:
    cube = UnitCube(small("work_mem", "random_page_cost", "enable_nestloop"))
    first = cube.mixed(cube.vector(cube.space.default()))
    loop = script.libraries(cube, 0, first, 20)[library]()
    asked = []
    for value in (3.0, 2.0, 1.0):
        asked.append(loop.ask())
        loop.tell(asked[-1], value)
    assert asked[0] == pytest.approx(first)
    assert pytest.approx(first) not in asked[1:]


class Greedy:
    """A library that only ever asks one point."""

    def __init__(self, point: Mapping[str, float]) -> None:
        self.point = point
        self.told: list[Mapping[str, float]] = []

    def ask(self) -> Mapping[str, float]:
        return self.point

    def tell(self, point: Mapping[str, float], value: float | None) -> None:
        self.told.append(point)


class Keeping(SyntheticEvaluator):
    """Keeps what it was to measure."""

    kept: tuple[Configuration, ...] = ()

    def measure(self, configuration: Configuration, **how) -> Trial:
        self.kept += (configuration,)
        return super().measure(configuration, **how)


def test_what_a_library_asks_is_shrunk_to_the_memory_and_it_is_told_its_own_point(script):
    space = small("work_mem", "shared_buffers")
    cube = UnitCube(space)
    loop = Greedy(cube.mixed(np.ones(len(cube.axes))))
    wanted, evaluator = cube.at(cube.unmixed(loop.point)), Keeping(space, 0)
    held = list(script.searched(loop, evaluator, 2))
    assert not fits(wanted, space)
    assert all(fits(one, space) and one != space.default() for one in evaluator.kept)
    assert held == list(evaluator.kept)
    assert loop.told == [loop.point, loop.point]
