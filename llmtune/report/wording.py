"""Numbers and verdicts in words; the only place that says whether something improved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from llmtune.trial import Trial, TrialStatus
from llmtune.tuning.result import TrialFacts, TuningResult


class Verdict(StrEnum):
    """What the final runs allow to be said."""

    IMPROVED = "improved"
    UNPROVEN = "unproven"
    """A configuration did better, but the interval includes 1."""
    NOTHING_FOUND = "nothing found"
    """The default itself came out best."""


@dataclass(frozen=True, slots=True)
class Headline:
    """The session's outcome: a verdict, one line, and what it rests on."""

    verdict: Verdict
    title: str
    detail: str


def headline(result: TuningResult) -> Headline:
    """What may honestly be said about a session."""
    times, name = ratio_text(result.improvement.ratio), result.objective.name
    baseline = baseline_text(result.baseline)
    basis = f"{interval_text(result.improvement.ci95)} from {decision_text(result)}"
    if result.improvement.improved:
        title = f"{times} better {name} than {baseline}"
        return Headline(Verdict.IMPROVED, title, f"95% interval {basis}.")
    if not result.knobs:
        title, advice = f"Nothing better than {baseline} was found", f"Keep {baseline}."
        return Headline(Verdict.NOTHING_FOUND, title, advice)
    detail = (
        f"The best configuration measured {times} the performance of {baseline}, but the 95% "
        f"interval, {basis}, includes 1: the difference may be noise. Keep {baseline}, or tune "
        "for longer."
    )
    return Headline(Verdict.UNPROVEN, "No improvement was proven", detail)


def provenance(result: TuningResult) -> str:
    """What stands above an exported answer: the verdict, what it rests on, and where it holds."""
    said = headline(result)
    where = f"{result.workload} on PostgreSQL {result.server_version}"
    return f"{said.title}\n{said.detail}\n{where}"


def baseline_text(baseline: str) -> str:
    """What a result's baseline is called in a sentence."""
    return "the default" if baseline == "default" else "the current settings"


def decision_text(result: TuningResult) -> str:
    """How many final runs decided, such as `5 interleaved runs of each`."""
    best = result.best.configuration
    runs = [t for t in result.trials if t.phase == "confirm" and t.configuration == best]
    return f"{len(runs)} interleaved runs of each"


def number_text(value: float) -> str:
    """Three significant digits, never fewer than the whole ones: `0.0123`, `12.6`, `1234`."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"


def ratio_text(ratio: float) -> str:
    """A ratio with its times sign: `1.42x`."""
    return f"{ratio:.2f}x"


def interval_text(interval: tuple[float, float]) -> str:
    """An interval of ratios: `1.31x to 1.55x`."""
    return f"{ratio_text(interval[0])} to {ratio_text(interval[1])}"


def trial_text(trial: Trial | TrialFacts, unit: str) -> str:
    """What a trial gave, a bound told from a measured value; empty where it gave none."""
    if trial.value is None:
        return ""
    value = f"{number_text(trial.value)} {unit}"
    return f"stopped at {value}" if trial.status == TrialStatus.CAPPED else value


def value_text(value: float, interval: tuple[float, float] | None, unit: str) -> str:
    """A value with its unit and interval: `12.6 s (12.1 to 13.0)`."""
    plain = f"{number_text(value)} {unit}"
    if interval is None:
        return plain
    return f"{plain} ({number_text(interval[0])} to {number_text(interval[1])})"


def span_text(seconds: float) -> str:
    """A span of time for people: `8.3 s`, `7 min 12 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{number_text(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
