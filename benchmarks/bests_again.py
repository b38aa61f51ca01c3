"""The best configurations of a comparison, measured again in full and in turns.

    llmtune compare --workload tpch --scale 0.3 --optimizer plan --optimizer tpe ... --out DIR
    python benchmarks/bests_again.py DIR --scale 0.3 --rounds 5

The best of many single measurements is the luckiest, and times that search trials reuse
keep their luck. Here every query of every run is measured; each round runs the default and
the best of each session once, every other round backwards.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from llmtune.cli.bench import WorkloadRequest, open_bench
from llmtune.cli.progress import Reporter
from llmtune.cli.safety import own_safety
from llmtune.cli.targets import TargetRequest
from llmtune.knobs.configuration import Configuration
from llmtune.trial import Trial
from llmtune.tuning.store import SessionStore
from workloads.options import WorkloadOptions


@dataclass(frozen=True, slots=True)
class Best:
    """A session's best trial."""

    optimizer: str
    seed: int
    trial: Trial


def bests(folder: Path, seeds: set[int]) -> list[Best]:
    store = SessionStore(f"sqlite:///{folder / 'sessions.db'}")
    found = []
    for record in (summary.record for summary in store.sessions()):
        if seeds and record.seed not in seeds:
            continue
        trials = [entry.trial for entry in store.journal(record.id) if entry.trial.succeeded]
        best = min(trials, key=lambda trial: trial.value or 0.0)
        found.append(Best(record.optimizer, record.seed, best))
    store.close()
    return sorted(found, key=lambda one: (one.seed, one.trial.value))


def rows(found: list[Best], again: dict[Configuration, list[Trial]]) -> Iterator[str]:
    yield "| seed | optimizer | best when searched | again | again, raw | over default |"
    yield "|---|---|---|---|---|---|"
    default = median(values(next(iter(again.values()))))
    for one in found:
        runs = again[one.trial.configuration]
        raw = median((run.value or 0.0) * (run.pace.ratio if run.pace else 1.0) for run in runs)
        told = values(runs)
        yield (
            f"| {one.seed} | {one.optimizer} | {one.trial.value:.2f} s "
            f"| {median(told):.2f} s ({min(told):.2f} to {max(told):.2f}) | {raw:.2f} s "
            f"| {median(told) / default:.2f} |"
        )
    yield f"\nDefault: {default:.2f} s"


def values(runs: list[Trial]) -> list[float]:
    return [run.value for run in runs if run.value is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=re.sub(r"(?s)\n\n.*", "", __doc__ or ""))
    parser.add_argument("folder", type=Path, help="of a comparison")
    parser.add_argument("--workload", default="tpch")
    parser.add_argument("--scale", type=float)
    parser.add_argument("--memory")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, action="append", help="only these; default all")
    given = parser.parse_args()
    found = bests(given.folder, set(given.seed or ()))
    reporter = Reporter(quiet=True)
    with open_bench(
        TargetRequest("embedded", memory=given.memory),
        WorkloadRequest(given.workload, WorkloadOptions(scale=given.scale)),
        reporter,
        own_safety("bests_again", reporter, yes=True),
    ) as bench:
        benchmark = bench.query_benchmark()
        order = list(
            dict.fromkeys([bench.space.baseline(), *(b.trial.configuration for b in found)])
        )
        again: dict[Configuration, list[Trial]] = {one: [] for one in order}
        for turn in range(given.rounds):
            for one in order if turn % 2 == 0 else reversed(order):
                number = sum(len(runs) for runs in again.values())
                again[one].append(benchmark.measure(one, number=number, source="again"))
    print("\n".join(rows(found, again)))


if __name__ == "__main__":
    main()
