"""The variants of `cheap_trials.py`, and the file that keeps what each of them measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from llmtune.benchmark.benchmark import Benchmark
from llmtune.benchmark.cheap import ALL_SAVINGS, FULL_TRIALS, ONLY_CAPPED, CheapTrials
from llmtune.cli.bench import Bench
from llmtune.knobs.configuration import Configuration
from llmtune.trial import Pace, QueryTime, Trial, TrialStatus
from llmtune.tuning.plan import Plan
from optimizers.base import is_better
from optimizers.projection import unchanged
from optimizers.restart_saving import KeptRestarts, left_in_force

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
