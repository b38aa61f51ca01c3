"""How much slower or faster the same statements are in one span of traffic than in another.

Pure. Every statement is compared with itself and weighted by its calls in the
baseline, so that a change of the mix is no effect of the settings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmtune.postgres.traffic import Counted, StatementKey, Traffic

STANDARD_ERRORS = 3.0
"""From an estimate to a bound that we rely on: a window is looked at again and again,
and calls that disturb each other are less independent than the formula takes them for."""

LEAST_CALLS = 3
"""Of a statement, in a span, for its mean to be compared."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A span of traffic against a baseline.

    Attributes:
        ratio: time of the baseline's calls at this span's means over their own time;
            below 1 is faster. NaN where the two have no statement in common.
        errors: the standard errors of this span's time and of the baseline's, both
            over the baseline's; from the spread of the calls of each statement.
        coverage: the part of the time, of the span that has less of it, that went
            into statements that are compared.
        load: how many times more (above 1) or less work there was to do than in the
            baseline, as far as the change of speed does not explain it.
    """

    ratio: float
    errors: tuple[float, float]
    coverage: float
    load: float

    def surely_over(self, limit: float, noise: float = 0.0) -> bool:
        """Whether the ratio is above `limit` beyond what chance does to either span.

        Args:
            noise: standard error of such a ratio under unchanged settings, which calls
                that disturb each other raise above what their spread tells.
        """
        now, baseline = self.errors
        return self.ratio - limit > STANDARD_ERRORS * math.hypot(now, limit * baseline, noise)


def compare(baseline: Traffic, now: Traffic, least: int = LEAST_CALLS) -> Comparison:
    """Compare the statements that both spans called, `least` times now at least."""
    common = [
        (baseline.statements[key], one)
        for key, one in now.statements.items()
        if one.calls >= least and _compared(baseline.statements.get(key))
    ]
    expected = sum(old.seconds for old, _ in common)
    if not expected > 0:
        return Comparison(math.nan, (0.0, 0.0), 0.0, 1.0)
    ratio = sum(old.calls * new.mean for old, new in common) / expected
    spent = sum(new.seconds for _, new in common)
    return Comparison(
        ratio=ratio,
        errors=_errors(common, expected),
        coverage=min(expected / baseline.busy_seconds, spent / now.busy_seconds),
        load=_load(
            demand=_rate(sum(new.calls * old.mean for old, new in common), now, expected, baseline),
            busy=_rate(spent, now, expected, baseline),
        ),
    )


def with_running(baseline: Traffic, now: Traffic) -> Traffic:
    """`now` with what had not ended, where it already took longer than in the baseline.

    A statement that a configuration makes hang is in no counter until it ends. Its
    time so far is a lower bound, so this may only serve to tell that it is worse.
    """
    statements: dict[StatementKey, Counted] = dict(now.statements)
    for one in now.running:
        old = baseline.statements.get(one.key)
        if old is not None and _compared(old) and one.seconds > old.mean:
            seen = statements.get(one.key, Counted(0, 0.0))
            statements[one.key] = seen + Counted(1, one.seconds, one.seconds**2)
    return Traffic(now.seconds, now.totals, statements)


def mean_times(traffic: Traffic, most: int) -> Mapping[StatementKey, float]:
    """Seconds of one call of the statements that took the most time together."""
    heaviest = sorted(traffic.statements.items(), key=lambda item: -item[1].seconds)
    return {key: one.mean for key, one in heaviest[:most]}


def _compared(old: Counted | None) -> bool:
    return old is not None and old.calls >= LEAST_CALLS and old.seconds > 0


def _errors(common: Sequence[tuple[Counted, Counted]], expected: float) -> tuple[float, float]:
    """Few calls say little about their spread, so the larger of both spans' is taken."""
    spreads = [max(old.variance, new.variance) for old, new in common]
    pairs = list(zip(common, spreads, strict=True))
    now = sum(old.calls**2 * spread / new.calls for (old, new), spread in pairs)
    baseline = sum(old.calls * spread for (old, _), spread in pairs)
    return math.sqrt(now) / expected, math.sqrt(baseline) / expected


def _rate(work: float, now: Traffic, expected: float, baseline: Traffic) -> float:
    return (work / now.seconds) / (expected / baseline.seconds)


def _load(*, demand: float, busy: float) -> float:
    """The change of load that a change of speed does not explain.

    Args:
        demand: work that came in a second, at the baseline's times, over the baseline's.
        busy: sessions that were busy, over the baseline's.

    With as many requests as before, `demand` stays 1; with as many clients that
    wait for each answer, `busy` does. 1 between the two is therefore no change.
    """
    low, high = min(demand, busy), max(demand, busy)
    return low if low > 1 else min(high, 1.0)
