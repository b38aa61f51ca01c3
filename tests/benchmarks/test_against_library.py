"""The libraries by themselves start from what our backends start from."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import resolve_space
from optimizers.space import UnitCube

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
KNOBS = ["work_mem", "random_page_cost", "enable_nestloop"]


@pytest.mark.parametrize("library", ["tpe", "gp", "cmaes", "hebo", "smac"])
def test_each_library_has_the_default_first(library: str, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))  # where scripts find those beside them
    cube = UnitCube(resolve_space(load_catalogue(), 18, Hardware(2, 1 << 30), KNOBS))
    first = cube.mixed(cube.vector(cube.space.default()))
    loop = import_module("against_library").libraries(cube, 0, first, 20)[library]()
    asked = []
    for value in (3.0, 2.0, 1.0):
        asked.append(loop.ask())
        loop.tell(asked[-1], value)
    assert asked[0] == pytest.approx(first)
    assert pytest.approx(first) not in asked[1:]
