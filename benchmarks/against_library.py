"""Every backend against its own library, used directly as its documentation shows.

The library is given the knobs' axes from 0 to 1 and the categories, the default first,
values as they are, and its own start and settings. What it asks is shrunk to the memory. A
failed trial is told in the library's own way where it has one, else as the worst value so
far; a capped one as its bound. The problems, and what counts, are `against_random.py`'s:

    python benchmarks/against_library.py --out out/optimizers --seeds 10
    python benchmarks/against_library.py --out out/optimizers --library tpe --library gp
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from against_random import CAP_FACTOR, PROBLEMS, Done, problem, read, session

from optimizers.base import is_better
from optimizers.projection import memory_projection
from optimizers.space import UnitCube

OURS = ("recorded TPC-H", "12 of 40 knobs matter")
"""The problems unless others are named."""

Point = Mapping[str, float | int]
"""Knob to its coordinate, or to the place of its choice."""


class Direct(Protocol):
    """A library's own loop."""

    def ask(self) -> Point: ...

    def tell(self, point: Point, value: float | None) -> None: ...


class Optuna:
    """A study with one sampler, the default enqueued."""

    def __init__(self, cube: UnitCube, sampler: Any, first: Point) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._distributions: dict[str, Any] = {
            name: optuna.distributions.CategoricalDistribution(range(len(axis.choices)))
            if axis.choices
            else optuna.distributions.FloatDistribution(0.0, 1.0)
            for name, axis in cube.axes.items()
        }
        self._study = optuna.create_study(sampler=sampler)
        self._study.enqueue_trial(dict(first))
        self._trial: Any = None

    def ask(self) -> Point:
        self._trial = self._study.ask(self._distributions)
        return dict(self._trial.params)

    def tell(self, point: Point, value: float | None) -> None:  # noqa: ARG002  the study knows
        import optuna

        state = optuna.trial.TrialState.FAIL if value is None else None
        self._study.tell(self._trial, value, state=state)


class Hebo:
    """`LeanHEBO` with its defaults, told the default first."""

    def __init__(self, cube: UnitCube, seed: int, first: Point) -> None:
        from leanhebo import LeanHEBO, LeanHEBOConfig, RuntimeConfig
        from leanhebo.space import Categorical, Float, Space

        axes = (
            Categorical(name, tuple(range(len(axis.choices))))
            if axis.choices
            else Float(name, 0.0, 1.0)
            for name, axis in cube.axes.items()
        )
        self._hebo: Any = LeanHEBO(
            Space(*axes), config=LeanHEBOConfig(runtime=RuntimeConfig(seed=seed))
        )
        self._first: Point | None = first
        self._worst = 0.0

    def ask(self) -> Point:
        first, self._first = self._first, None
        return first or dict(self._hebo.suggest(1).to_records()[0])

    def tell(self, point: Point, value: float | None) -> None:
        self._worst = max(self._worst, value or 0.0)
        self._hebo.observe([dict(point)], [self._worst if value is None else value])


class Smac:
    """The facade for hyper-parameters with its defaults, told the default first.

    Left to itself it would run it behind its initial draws, a quarter of the trials.
    """

    def __init__(self, cube: UnitCube, seed: int, first: Point, trials: int) -> None:
        from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace
        from ConfigSpace import UniformFloatHyperparameter as Uniform
        from smac import HyperparameterOptimizationFacade as Facade
        from smac import Scenario
        from smac.runhistory import TrialInfo

        logging.getLogger("smac").setLevel(logging.CRITICAL)
        space = ConfigurationSpace(seed=seed)
        space.add(
            [
                CategoricalHyperparameter(
                    name, list(range(len(axis.choices))), default_value=first[name]
                )
                if axis.choices
                else Uniform(name, 0.0, 1.0, default_value=first[name])
                for name, axis in cube.axes.items()
            ]
        )
        self._folder = tempfile.TemporaryDirectory()
        scenario = Scenario(
            space,
            deterministic=True,
            n_trials=trials,
            output_directory=Path(self._folder.name),
            seed=seed,
        )
        self._facade: Any = Facade(scenario, _not_called, logging_level=False)
        self._first: Any = TrialInfo(space.get_default_configuration(), seed=0)
        self._asked: Any = None

    def ask(self) -> Point:
        first, self._first = self._first, None
        self._asked = first or self._facade.ask()
        return dict(self._asked.config)

    def tell(self, point: Point, value: float | None) -> None:  # noqa: ARG002  it knows
        from smac.runhistory import StatusType, TrialValue

        crashed = TrialValue(cost=1e6, status=StatusType.CRASHED)
        self._facade.tell(self._asked, crashed if value is None else TrialValue(cost=value))


def _not_called(config: object, seed: int = 0) -> float:  # noqa: ARG001  as SMAC calls it
    raise AssertionError("trials are told, not run by the facade")


def libraries(cube: UnitCube, seed: int, first: Point, trials: int) -> dict[str, Callable[[], Any]]:
    import optuna

    samplers = optuna.samplers
    return {
        "tpe": lambda: Optuna(cube, samplers.TPESampler(multivariate=True, seed=seed), first),
        "gp": lambda: Optuna(cube, samplers.GPSampler(seed=seed), first),
        "cmaes": lambda: Optuna(cube, samplers.CmaEsSampler(seed=seed), first),
        "hebo": lambda: Hebo(cube, seed, first),
        "smac": lambda: Smac(cube, seed, first, trials),
    }


def direct(name: str, library: str, seed: int, trials: int) -> Done:
    """One session of a library by itself; see `against_random.session`."""
    evaluator, expected = problem(name, seed)
    cube, default = UnitCube(evaluator.space), evaluator.space.default()
    loop = libraries(cube, seed, cube.mixed(cube.vector(default)), trials)[library]()
    curve = [expected(held) / expected(default) for held in searched(loop, evaluator, trials)]
    return Done(name, f"{library}, used directly", seed, tuple(curve))


def searched(loop: Direct, evaluator: Any, trials: int) -> Iterator[Any]:
    """The best configuration after each trial.

    What the library asks is shrunk to the memory, as ours is, and it is told its own point.
    """
    cube, project = UnitCube(evaluator.space), memory_projection(evaluator.space, clients=1)
    best: Any = None
    for number in range(trials):
        point = loop.ask()
        asked = project(cube.at(cube.unmixed(point)))
        cap = None if best is None else CAP_FACTOR * best.value
        trial = evaluator.measure(asked, number=number, source="library", cap=cap)
        loop.tell(point, trial.value)
        best = trial if is_better(trial, best, evaluator.objective) else best
        yield evaluator.space.default() if best is None else best.configuration


def row(problem_name: str, library: str, done: list[Done]) -> str:
    from scipy.stats import binomtest

    curves = {
        who: {d.seed: d.curve[-1] for d in done if (d.problem, d.optimizer) == (problem_name, who)}
        for who in (library, f"{library}, used directly")
    }
    ours, theirs = curves.values()
    seeds = sorted(set(ours) & set(theirs))
    better = sum(ours[seed] < theirs[seed] for seed in seeds)
    worse = sum(ours[seed] > theirs[seed] for seed in seeds)
    p = binomtest(better, better + worse).pvalue if better + worse else 1.0
    return (
        f"| {problem_name} | {library} | {len(seeds)} | {median(ours[s] for s in seeds):.3f} "
        f"| {median(theirs[s] for s in seeds):.3f} | {better}, {worse} | {p:.2g} |"
    )


def main() -> None:
    from llmtune.cli.recorded_sessions import one_thread

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="folder for results")
    names = ("tpe", "gp", "cmaes", "hebo", "smac")
    parser.add_argument("--library", action="append", choices=names, help="may be repeated")
    parser.add_argument("--problem", action="append", choices=PROBLEMS, help="may be repeated")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=60)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    # Not libraries-N.jsonl: there the libraries could ask what does not fit the memory.
    path = given.out / f"libraries-projected-{given.trials}.jsonl"
    done = read(path)
    chosen, problems = given.library or names, given.problem or OURS
    context = get_context("spawn")
    with one_thread(), ProcessPoolExecutor(1, context) as pool, path.open("a") as file:
        for seed in range(given.seeds):
            for at in problems:
                for library in chosen:
                    for who, run in ((library, session), (f"{library}, used directly", direct)):
                        if (at, who, seed) not in done:
                            job = pool.submit(run, at, library, seed, given.trials)
                            one = done[at, who, seed] = job.result()
                            file.write(json.dumps(asdict(one)) + "\n")
                            file.flush()
    print(
        "| problem | library | seeds | ours | used directly | ours better, worse | sign test, p |"
    )
    print("|---|---|---|---|---|---|---|")
    for at in problems:
        for library in chosen:
            print(row(at, library, list(done.values())))


if __name__ == "__main__":
    main()
