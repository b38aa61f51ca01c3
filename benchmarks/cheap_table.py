"""The table of `cheap_trials.py`: what each variant took, and how far it was from full trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import geometric_mean, median

import numpy as np
from cheap_variants import Journal, Variant

from llmtune.trial import Trial, TrialStatus
from llmtune.tuning.interval import Floats, bootstrap_interval


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
