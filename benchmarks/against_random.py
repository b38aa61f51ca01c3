"""Every optimizer against random search, with no server, and what an ask costs.

The problems are synthetic response surfaces over forty knobs and the recorded TPC-H
benchmark that comes with LLMTune. Every session starts with the default configuration;
what counts is the noise-free value of the configuration that a session holds for its
best, over the default's. Sessions that were done before are not repeated:

    python benchmarks/against_random.py --out out/optimizers --jobs 2
    python benchmarks/against_random.py --out out/optimizers --optimizer gp --seeds 5
    python benchmarks/against_random.py --out out/optimizers --cost --tables
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

CONTROL = "random"
CAP_FACTOR = 1.5
COST_TRIALS, COST_ASKS = 100, 3
KNOBS = 40
PROBLEMS = (
    "4 of 40 knobs matter",
    "12 of 40 knobs matter",
    "12 of 40 matter, a fifth crashes",
    "12 of 40 matter, many local optima",
    "recorded TPC-H",
)


@dataclass(frozen=True)
class Done:
    """One session: after each trial, the noise-free best over the default's."""

    problem: str
    optimizer: str
    seed: int
    curve: tuple[float, ...]

    @property
    def key(self) -> tuple[str, str, int]:
        return self.problem, self.optimizer, self.seed


def space() -> Any:
    """Forty knobs of a server with 4 cores and 16 GiB."""
    from llmtune.knobs.catalogue import load_catalogue
    from llmtune.knobs.hardware import Hardware
    from llmtune.knobs.space import resolve_space

    whole = resolve_space(load_catalogue(), 18, Hardware(4, 16 << 30))
    return whole.subset(whole.names[:KNOBS])


@cache
def recorded() -> Any:
    from llmtune.benchmark.recorded import RecordedEvaluator
    from llmtune.benchmark.recording import SHIPPED, read_recording

    return RecordedEvaluator(read_recording(SHIPPED / "tpch.parquet"))


def problem(name: str, seed: int) -> tuple[Any, Callable[[Any], float]]:
    """What measures, and the noise-free value of a configuration."""
    from llmtune.benchmark.synthetic import Behaviour, Shape, SyntheticEvaluator

    if name == "recorded TPC-H":
        evaluator = recorded().with_seed(seed)
        return evaluator, evaluator.expected
    behaviour = {
        PROBLEMS[0]: Behaviour(active=4, noise=0.05),
        PROBLEMS[1]: Behaviour(active=12, noise=0.05),
        PROBLEMS[2]: Behaviour(active=12, noise=0.05, crash_share=0.2),
        PROBLEMS[3]: Behaviour(active=12, noise=0.05, shape=Shape.LEVY),
    }[name]
    surface = SyntheticEvaluator(space(), seed, behaviour)
    return surface, surface.value


def session(name: str, optimizer: str, seed: int, trials: int) -> Done:
    """One session, the default first, capped as `llmtune tune` caps."""
    from optimizers import registry

    evaluator, expected = problem(name, seed)
    default = evaluator.space.default()
    tuner = registry.optimizer(optimizer, evaluator.space, evaluator.objective, seed)
    curve = []
    for number in range(trials):
        asked = tuner.ask() if number else default
        best_value = None if tuner.best is None else tuner.best.value
        cap = None if best_value is None else CAP_FACTOR * best_value
        tuner.tell(evaluator.measure(asked, number=number, source=optimizer, cap=cap))
        best = default if tuner.best is None else tuner.best.configuration
        curve.append(expected(best) / expected(default))
    return Done(name, optimizer, seed, tuple(curve))


def cost(optimizer: str) -> float:
    """Median CPU seconds of an ask and its tell when a hundred trials are known."""
    from llmtune.benchmark.synthetic import SyntheticEvaluator
    from optimizers import registry

    evaluator = SyntheticEvaluator(space(), 0)
    tuner = registry.optimizer(optimizer, evaluator.space, evaluator.objective, 0)
    others = registry.optimizer(CONTROL, evaluator.space, evaluator.objective, 1)
    for number in range(COST_TRIALS):
        trial = evaluator.measure(others.ask(), number=number, source=CONTROL)
        others.tell(trial)
        tuner.tell(trial)
    spent = []
    for number in range(COST_ASKS + 1):
        start = process_time()
        asked = tuner.ask()
        tuner.tell(evaluator.measure(asked, number=COST_TRIALS + number, source=optimizer))
        spent.append(process_time() - start)
    return median(spent[1:])  # the first one imports


def read(path: Path) -> dict[tuple[str, str, int], Done]:
    if not path.exists():
        return {}
    rows = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    done = (Done(**{**row, "curve": tuple(row["curve"])}) for row in rows)
    return {one.key: one for one in done}


def run(path: Path, wanted: list[tuple[str, str, int]], trials: int, jobs: int) -> None:
    """Run what is missing; every finished session is on disk before the next one is awaited."""
    from llmtune.cli.recorded_sessions import one_thread

    context = get_context("spawn")
    with one_thread(), ProcessPoolExecutor(jobs, context) as pool, path.open("a") as file:
        for at, done in enumerate(
            pool.map(session, *zip(*wanted, strict=True), [trials] * len(wanted))
        ):
            file.write(json.dumps(asdict(done)) + "\n")
            file.flush()
            print(f"{at + 1} of {len(wanted)}: {done.key} {done.curve[-1]:.3f}", flush=True)


def tables(done: Iterable[Done], costs: dict[str, float]) -> Iterator[str]:
    """Markdown."""
    found = list(done)
    for title in PROBLEMS:
        here = [one for one in found if one.problem == title]
        if here:
            yield f"\n### {title}\n"
            yield (
                "| optimizer | sessions | best over default, median (quartiles) | "
                "mean over trials | better than random, worse | sign test, p |"
            )
            yield "|---|---|---|---|---|---|"
            names = {one.optimizer for one in here}
            yield from (row(name, here) for name in sorted(names, key=lambda n: (n != CONTROL, n)))
    if costs:
        yield f"\n### CPU seconds of an ask and its tell, {COST_TRIALS} trials, {KNOBS} knobs\n"
        yield "| optimizer | seconds |\n|---|---|"
        yield from (f"| {name} | {seconds:.3f} |" for name, seconds in sorted(costs.items()))


def row(name: str, here: list[Done]) -> str:
    """One optimizer on one problem, seed by seed against the control."""
    from scipy.stats import binomtest

    runs = {one.seed: one.curve for one in here if one.optimizer == name}
    control = {one.seed: one.curve[-1] for one in here if one.optimizer == CONTROL}
    finals = sorted(curve[-1] for curve in runs.values())
    low, high = finals[len(finals) // 4], finals[(3 * len(finals)) // 4]
    area = median(sum(curve) / len(curve) for curve in runs.values())
    pairs = [(curve[-1], control[seed]) for seed, curve in runs.items() if seed in control]
    better, worse = sum(a < b for a, b in pairs), sum(a > b for a, b in pairs)
    against, p = "", ""
    if name != CONTROL and better + worse:
        against, p = f"{better}, {worse}", f"{binomtest(better, better + worse).pvalue:.2g}"
    spread = f"{median(finals):.3f} ({low:.3f} to {high:.3f})"
    return f"| {name} | {len(runs)} | {spread} | {area:.3f} | {against} | {p} |"


def main() -> None:
    from llmtune.cli.recorded_sessions import one_thread
    from optimizers.registry import looks_at_plans, names

    known = [name for name in names() if not looks_at_plans(name)]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for results and tables")
    parser.add_argument("--optimizer", action="append", help="may be repeated")
    parser.add_argument("--problem", action="append", choices=PROBLEMS, help="may be repeated")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--cost", action="store_true", help="only time the asks")
    parser.add_argument("--tables", action="store_true", help="only write the tables")
    given = parser.parse_args()
    if any(map(looks_at_plans, given.optimizer or ())):
        parser.error("an optimizer that looks at plans has no server to ask here")
    given.out.mkdir(parents=True, exist_ok=True)
    path, costs_path = given.out / f"sessions-{given.trials}.jsonl", given.out / "costs.json"
    chosen = list(dict.fromkeys([CONTROL, *(given.optimizer or known)]))
    costs = json.loads(costs_path.read_text()) if costs_path.exists() else {}
    if given.cost:
        context = get_context("spawn")
        for name in chosen:  # a process each, so that none finds the others' libraries loaded
            with one_thread(), ProcessPoolExecutor(1, context) as pool:
                costs[name] = pool.submit(cost, name).result()
        costs_path.write_text(json.dumps(costs, indent=2))
    elif not given.tables:
        wanted = [
            (p, o, s) for s in range(given.seeds) for p in given.problem or PROBLEMS for o in chosen
        ]
        missing = [key for key in wanted if key not in read(path)]
        if missing:
            run(path, missing, given.trials, given.jobs)
    text = "\n".join(tables(read(path).values(), costs))
    (given.out / "tables.md").write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
