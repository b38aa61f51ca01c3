"""Does a mix take as long as the sum of its queries, measured by themselves?

    python benchmarks/composed_totals.py MATRIX [--memory 256MB] [--mixes 30] [--configurations 5]

MATRIX is the `matrix` folder of a `llmtune datagen` run on TPC-H; give the same
--scale, --seed and --memory as that run. Each mix is really run under each
configuration (one warm pass, one timed pass), and its weighted total is held
against the total composed from the matrix, at the matrix's pace. Prints a Markdown
section.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from datagen.matrix import Matrix, Run
from datagen.matrix_files import read_matrix
from llmtune.benchmark.evaluator import Evaluator
from llmtune.benchmark.pace import keep_pace
from llmtune.cli.bench import Bench, open_bench, query_workload
from llmtune.cli.progress import Reporter
from llmtune.cli.safety import own_safety
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from workloads.mixes import draw_mix
from workloads.options import WorkloadOptions
from workloads.workload import Workload


@dataclass(frozen=True, slots=True)
class Pair:
    configuration: str
    composed: float
    real: float

    @property
    def error(self) -> float:
        return self.composed / self.real - 1


def chosen_runs(matrix: Matrix, count: int) -> list[Run]:
    """The default and configurations spread from the fastest to the slowest complete run."""
    complete = [run for run in matrix.runs if run.complete and run.changes]
    complete.sort(key=lambda run: sum(outcome.seconds for outcome in run.outcomes))
    places = np.linspace(0, len(complete) - 1, count - 1).round().astype(int)
    default = next(run for run in matrix.runs if not run.changes)
    return [default, *(complete[place] for place in places)]


def composed(matrix: Matrix, run: Run, mix: Workload) -> float:
    """From all runs of this configuration, averaged."""
    rows = [row for row, one in enumerate(matrix.runs) if one.changes == run.changes]
    weights = {query.id: query.weight for query in mix.queries}
    return float(np.nanmean(matrix.totals(weights)[rows]))


def at_its_pace(bench: Bench, mix: Workload, matrix: Matrix) -> Evaluator:
    """What measures the mix, in seconds at the pace of the matrix's."""
    benchmark = replace(bench, workload=mix).benchmark()
    keep_pace(benchmark, (outcome for run in matrix.runs for outcome in run.outcomes))
    return benchmark


def measured(
    bench: Bench, matrix: Matrix, mixes: list[Workload], runs: list[Run], reporter: Reporter
) -> Iterator[Pair]:
    with reporter.bar("Running mixes") as advance:
        done = 0
        for run in runs:
            configuration = bench.space.from_default(run.changes)
            for mix in mixes:
                benchmark = at_its_pace(bench, mix, matrix)
                trial = benchmark.measure(configuration, number=done, source=run.source)
                done += 1
                advance(f"{run.source} {run.number}", done / (len(runs) * len(mixes)))
                assert trial.value is not None, trial.message
                yield Pair(f"{run.source} {run.number}", composed(matrix, run, mix), trial.value)


def section(title: str, pairs: list[Pair], names: list[str]) -> str:
    rows = [
        f"## {title}",
        "",
        "| configuration | mixes | correlation | median error | worst error |",
        "|---|---|---|---|---|",
    ]
    for name in [*names, "all"]:
        some = [pair for pair in pairs if name in (pair.configuration, "all")]
        real = np.array([pair.real for pair in some])
        composed = np.array([pair.composed for pair in some])
        errors = np.array([pair.error for pair in some])
        worst = errors[np.abs(errors).argmax()]
        rows.append(
            f"| {name} | {len(some)} | {np.corrcoef(np.log(real), np.log(composed))[0, 1]:.4f} "
            f"| {np.median(errors):+.1%} | {worst:+.1%} |"
        )
    return "\n".join([*rows, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("matrix", type=Path)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory")
    parser.add_argument("--mixes", type=int, default=30)
    parser.add_argument("--configurations", type=int, default=5)
    given = parser.parse_args()
    matrix, reporter = read_matrix(given.matrix), Reporter()
    request = WorkloadRequest("tpch", WorkloadOptions(given.scale, given.seed))
    target, safety = (
        TargetRequest("embedded", memory=given.memory),
        own_safety("composed_totals", reporter, yes=True),
    )
    with open_bench(target, request, reporter, safety) as bench:
        whole = query_workload(bench.workload)
        assert whole.data_set.name == matrix.header.data_set
        assert bench.target.hardware.memory == matrix.header.memory
        rng = random.Random(12345)
        mixes = [draw_mix(whole, rng) for _ in range(given.mixes)]
        runs = chosen_runs(matrix, given.configurations)
        pairs = list(measured(bench, matrix, mixes, runs, reporter))
    names = list(dict.fromkeys(pair.configuration for pair in pairs))
    title = f"TPC-H, scale {given.scale:g}, {given.memory or 'all'} memory"
    print(section(title, pairs, names))


if __name__ == "__main__":
    main()
