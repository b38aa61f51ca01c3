"""What each saving of cheap trials gives and costs: one ablation, interleaved.

    python benchmarks/cheap_trials.py [--scale 0.3] [--trials 60] [--seed 0] [--results FOLDER]

Every variant has an embedded server of its own and measures the same proposals: those
of a cold TPE session that is told the full trials. The variants take turns at each
proposal, in a new order each time, so that drift of the machine hits all alike. `again`
makes no savings either: how far it is from `full` is the noise. Then what each variant
holds for the best is run again, in full and in turns with the best of `full`. Last come
pairs of runs of the default, fully warmed and not, on a warm server and on one that was
restarted.

Every trial is kept in the folder as soon as it is done; called again with the same
options, the script goes on behind the last one. Prints a Markdown section.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from cheap_table import section
from cheap_variants import PLAN, VARIANTS, Journal, Variant

from llmtune.benchmark.benchmark import Benchmark
from llmtune.benchmark.cheap import CheapTrials
from llmtune.benchmark.pace import keep_pace
from llmtune.cli.bench import open_bench
from llmtune.cli.progress import Reporter
from llmtune.cli.safety import own_safety
from llmtune.knobs.configuration import Configuration
from llmtune.trial import Trial, TrialStatus
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from optimizers.base import Optimizer
from optimizers.registry import optimizer
from workloads.options import WorkloadOptions

UNBEATEN = Trial(-1, "pair", Configuration({}), TrialStatus.SUCCEEDED, 1e-6)
"""Nothing is better, so that no run counts as one that may be the best and is timed twice."""


def proposal(inner: Optimizer, full: Variant, number: int) -> Configuration:
    """The cold session's next: its default twice, then TPE's own."""
    space = full.bench.space
    return space.baseline() if number < PLAN.default_repeats else inner.ask()


def ablate(variants: Mapping[str, Variant], journal: Journal, trials: int, seed: int) -> None:
    """Measure every proposal under every variant, with what was measured before left out."""
    full = variants["full"]
    keep_pace(full.benchmark, full.trials)
    inner = optimizer("tpe", full.bench.space, full.benchmark.objective, seed)
    for number in range(trials):
        known = [v.trials[number] for v in variants.values() if len(v.trials) > number]
        wanted = proposal(inner, full, number) if not full.trials[number:] else None
        chosen = wanted or full.trials[number].configuration
        order = list(variants.values())
        if number:  # before that, `full` sets the pace that all are held against
            random.Random(f"{seed}.{number}").shuffle(order)
        for variant in (one for one in order if len(one.trials) == number):
            keep_pace(variant.benchmark, full.trials)
            variant.measure(chosen)
            journal.keep_trial(variant)
        inner.tell(full.trials[number])
        if len(known) < len(variants):
            print(f"  proposal {number + 1} of {trials} done", flush=True)


def warmed_in_full(benchmark: Benchmark, default: Configuration, number: int) -> Trial:
    return benchmark.measure(default, number=number, source="pair")


def warmed_as_needed(benchmark: Benchmark, default: Configuration, number: int) -> Trial:
    only_warm = CheapTrials(skip_warm=True)
    return benchmark.measure_cheaply(
        default, number=number, source="pair", cheap=only_warm, earlier=[UNBEATEN]
    )


def pair_up(variant: Variant, journal: Journal, pairs: int) -> None:
    """Runs of the default, with a full warm pass and with what was read before left out."""
    default = variant.bench.space.baseline()
    for kind in ("warm", "restarted"):
        for number in range(len(journal.pairs(kind)), pairs):
            values = {}
            for way in ("full", "cheap") if number % 2 == 0 else ("cheap", "full"):
                if kind == "restarted":
                    variant.bench.target.restart()
                measure = warmed_as_needed if way == "cheap" else warmed_in_full
                values[way] = measure(variant.benchmark, default, number).value or 0.0
            journal.keep_pair(kind, values["full"], values["cheap"])


def run_off(variants: Mapping[str, Variant], journal: Journal, rounds: int) -> None:
    """Full runs of each variant's best and of the best of `full`, in turns, on one server."""
    full = variants["full"]
    base = full.best.configuration if full.best else None
    for name, variant in variants.items():
        best = variant.best.configuration if variant.best else None
        if base is None or best is None or best == base:
            continue
        for number in range(len(journal.pairs(f"best of {name}")), rounds):
            order = [base, best] if number % 2 == 0 else [best, base]
            trials = {
                one: full.benchmark.measure(one, number=number, source="pair") for one in order
            }
            if all(trial.succeeded for trial in trials.values()):
                values = [trials[one].value or 0.0 for one in (base, best)]
                journal.keep_pair(f"best of {name}", *values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--workload", default="tpch")
    parser.add_argument("--scale", type=float, default=0.3)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", help="the servers' limit, such as 1GB")
    parser.add_argument("--only", nargs="*", default=[], choices=list(VARIANTS)[1:])
    parser.add_argument("--results", type=Path, default=Path("out/cheap_trials"))
    given = parser.parse_args()
    terms = {name: getattr(given, name) for name in ("workload", "scale", "seed", "memory")}
    journal, reporter = Journal(given.results, terms), Reporter(quiet=True)
    wanted = WorkloadRequest(given.workload, WorkloadOptions(scale=given.scale, seed=given.seed))
    names = ["full", *(given.only or list(VARIANTS)[1:])]
    with ExitStack() as stack:
        variants = {}
        for name in names:
            target = TargetRequest("embedded", memory=given.memory)
            safety = own_safety("cheap_trials", reporter, yes=True)
            bench = stack.enter_context(open_bench(target, wanted, reporter, safety))
            variants[name] = Variant(name, VARIANTS[name], bench)
        journal.restore(variants)
        ablate(variants, journal, given.trials, given.seed)
        run_off(variants, journal, given.pairs)
        pair_up(variants["full"], journal, given.pairs)
        title = f"{given.workload}, scale {given.scale:g}, {given.trials} trials, seed {given.seed}"
        print(section(variants, journal, title, given.seed))


if __name__ == "__main__":
    main()
