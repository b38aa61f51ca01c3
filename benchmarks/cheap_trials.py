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
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import geometric_mean, median

import numpy as np

from llmtune.benchmark.benchmark import Benchmark
from llmtune.benchmark.cheap import ALL_SAVINGS, FULL_TRIALS, ONLY_CAPPED, CheapTrials
from llmtune.benchmark.pace import keep_pace
from llmtune.cli.bench import Bench, open_bench
from llmtune.cli.progress import Reporter
from llmtune.cli.safety import own_safety
from llmtune.knobs.configuration import Configuration
from llmtune.trial import Pace, QueryTime, Trial, TrialStatus
from llmtune.tuning.interval import Floats, bootstrap_interval
from llmtune.tuning.plan import Plan
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from optimizers.base import Optimizer, is_better
from optimizers.projection import unchanged
from optimizers.registry import optimizer
from optimizers.restart_saving import KeptRestarts, left_in_force
from workloads.options import WorkloadOptions

VARIANTS = {
    "full": FULL_TRIALS,
    "again": FULL_TRIALS,
    "cap": ONLY_CAPPED,
    "order": CheapTrials(order=True),
    "bounds": CheapTrials(bounds=True),
    "skip_warm": CheapTrials(skip_warm=True),
    "save_restarts": CheapTrials(save_restarts=True),
    "reuse": CheapTrials(reuse=True),
    "all": ALL_SAVINGS,
}
"""`full` and `again` make none, not even the cap; all others are capped as well, without which
`order` and `bounds` would save nothing."""
PLAN = Plan()
UNBEATEN = Trial(-1, "pair", Configuration({}), TrialStatus.SUCCEEDED, 1e-6)
"""Nothing is better, so that no run counts as one that may be the best and is timed twice."""


@dataclass
class Variant:
    """One way to measure, on a server of its own, with what it measured so far.

    Attributes:
        restart_s: seconds of each trial in which its server restarted.
    """

    name: str
    cheap: CheapTrials
    bench: Bench
    trials: list[Trial] = field(default_factory=list)
    restart_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.benchmark: Benchmark = self.bench.query_benchmark()
        self.kept = KeptRestarts(self.bench.space, unchanged)
        self.best: Trial | None = None

    def take(self, trial: Trial, restart_s: float) -> None:
        self.trials.append(trial)
        self.restart_s.append(restart_s)
        baseline = self.bench.space.baseline()
        self.kept.in_force = left_in_force(trial, self.kept.in_force, baseline)
        if is_better(trial, self.best, self.benchmark.objective):
            self.best = trial

    def measure(self, proposed: Configuration) -> None:
        """As a session would: the baseline in full, others with the variant's savings."""
        number, source, clock = len(self.trials), "replayed", self.bench.target.restart_seconds
        baseline = proposed == self.bench.space.baseline()
        projected = self.cheap.save_restarts and not baseline
        chosen = self.kept(proposed) if projected else proposed
        best = None if self.best is None else self.best.value
        capped = self.cheap.cap and not baseline
        cap = best * PLAN.cap_factor if capped and best is not None else None
        full = partial(self.benchmark.measure, chosen, number=number, source=source, cap=cap)
        if self.cheap.measured_cheaply and not baseline:
            trial = self.benchmark.measure_cheaply(
                chosen, number=number, source=source, cheap=self.cheap,
                earlier=self.trials, cap=cap,
            )  # fmt: skip
        else:
            trial = full()
        self.take(trial, self.bench.target.restart_seconds - clock)


class Journal:
    """The folder's trials and pairs, one JSON line each."""

    def __init__(self, folder: Path, terms: Mapping[str, object]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "cheap_trials.jsonl"
        if not self._file.exists():
            self._append({"terms": dict(terms)})
        first, *self.lines = map(json.loads, self._file.read_text("utf-8").splitlines())
        if first["terms"] != dict(terms):
            raise SystemExit(f"{self._file} is of {first['terms']}; give another --results")

    def _append(self, line: Mapping[str, object]) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def keep_trial(self, variant: Variant) -> None:
        trial = asdict(variant.trials[-1])
        trial["configuration"] = dict(variant.trials[-1].configuration)
        line = {"variant": variant.name, "trial": trial, "restart_s": variant.restart_s[-1]}
        self._append(line)

    def restore(self, variants: Mapping[str, Variant]) -> None:
        for line in (one for one in self.lines if "variant" in one):
            facts = line["trial"]
            facts["configuration"] = Configuration(facts["configuration"])
            facts["query_times"] = tuple(QueryTime(**time) for time in facts["query_times"])
            facts["status"] = TrialStatus(facts["status"])
            facts["pace"] = facts["pace"] and Pace(**facts["pace"])
            variants[line["variant"]].take(Trial(**facts), line["restart_s"])

    def keep_pair(self, kind: str, full: float, cheap: float) -> None:
        line = {"pair": kind, "full": full, "cheap": cheap}
        self.lines.append(line)
        self._append(line)

    def pairs(self, kind: str) -> list[tuple[float, float]]:
        return [(one["full"], one["cheap"]) for one in self.lines if one.get("pair") == kind]


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


def ratio_line(kind: str, pairs: Sequence[tuple[float, float]], seed: int) -> str:
    logs = np.log([cheap / full for full, cheap in pairs])[:, None]

    def mean(sample: Floats) -> Floats:
        means: Floats = sample.mean(axis=(1, 2))
        return means

    low, high = np.exp(bootstrap_interval(logs, mean, seed))
    ratio = geometric_mean(cheap / full for full, cheap in pairs)
    return f"| {kind} | {len(pairs)} | {ratio:.3f} | {low:.3f} to {high:.3f} |"


def correlation(one: Sequence[Trial], other: Sequence[Trial]) -> float:
    """Spearman's, over the trials that have a value in both; capped ones lie behind all others."""
    from scipy.stats import spearmanr

    both = [(a, b) for a, b in zip(one, other, strict=True) if a.value and b.value]
    worst = 1e9
    ranks = [[t.value if t.succeeded else worst for t in side] for side in zip(*both, strict=True)]
    return float(spearmanr(*ranks).statistic)


def full_value(trial: Trial | None) -> str:
    """A cap is no value: where a trial came to none, its status."""
    if trial is None:
        return ""
    return f"{trial.value:.3f}" if trial.succeeded and trial.value else trial.status.value


def rows(variants: Mapping[str, Variant]) -> Iterator[str]:
    full = variants["full"]
    wall = sum(trial.wall_s for trial in full.trials)
    for name, variant in variants.items():
        trials = variant.trials
        both = [(a.value, b.value) for a, b in zip(trials, full.trials, strict=True)
                if a.succeeded and b.succeeded]  # fmt: skip
        errors = [abs(a / b - 1) for a, b in both if a and b]
        took = sum(trial.wall_s for trial in trials)
        reused = sum(time.reused for trial in trials for time in trial.query_times)
        best = variant.best
        truth = full.trials[best.number] if best else None
        yield (
            f"| {name} | {took:.1f} | {took / wall:.2f} | {sum(t.measured_s for t in trials):.1f} "
            f"| {sum(seconds > 0 for seconds in variant.restart_s)} "
            f"| {sum(t.status is TrialStatus.CAPPED for t in trials)} | {reused} "
            f"| {median(errors):.1%} | {max(errors):.1%} | {correlation(trials, full.trials):.2f} "
            f"| {'' if best is None else best.number} | {full_value(truth)} |"
        )


def section(variants: Mapping[str, Variant], journal: Journal, title: str, seed: int) -> str:
    kinds = [kind for kind in ("warm", "restarted") if len(journal.pairs(kind)) > 1]
    bests = [f"best of {name}" for name in variants if len(journal.pairs(f"best of {name}")) > 1]
    return "\n".join(
        [
            f"## {title}",
            "",
            "| savings | wall s | of full | query s | restarts | capped | reused | median error "
            "| worst error | rank correlation | best trial | its full value, s |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
            *rows(variants),
            "",
            "What a variant holds for the best, over the best of `full`, in full runs:",
            "",
            "| variant | pairs | ratio | 95% interval |",
            "|---|---|---|---|",
            *(ratio_line(kind, journal.pairs(kind), seed) for kind in bests),
            "",
            "The default without a full warm pass, over the same with one:",
            "",
            "| server | pairs | ratio | 95% interval |",
            "|---|---|---|---|",
            *(ratio_line(kind, journal.pairs(kind), seed) for kind in kinds),
        ]
    )


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
