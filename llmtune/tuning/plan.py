"""A session's plan: how long it searches, and how it decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmtune.benchmark.cheap import ONLY_CAPPED, CheapTrials
from llmtune.errors import UsageError
from optimizers.narrowed import NARROW_AFTER, Narrowing


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a session searches and how it decides.

    Attributes:
        trials: search trials at most, the default's repeats included; None: no limit.
        seconds: wall seconds at most for everything; the search leaves room for
            the decision. None: no limit.
        default_repeats: how often the default is measured first; two or more tell
            how noisy the target is.
        cap_factor: at how many times the incumbent's value a search trial stops that is capped.
        prune_trials: trials at most for putting knobs back to their default; 0: none.
        confirm_runs: runs of each configuration in the final decision.
        clients: connections that run the workload at once; the memory guard needs it.
        cheap: the savings of search trials; the decision's are always full.
        keep_knobs: with how many knobs, the most important, the search goes on after
            `narrow_after` trials; None: with all.
    """

    trials: int | None = 30
    seconds: float | None = None
    default_repeats: int = 2
    cap_factor: float = 1.5
    prune_trials: int = 12
    confirm_runs: int = 5
    clients: int = 1
    cheap: CheapTrials = ONLY_CAPPED
    keep_knobs: int | None = None
    narrow_after: int = NARROW_AFTER

    @property
    def narrowing(self) -> Narrowing | None:
        """How the search narrows to few knobs; None: not at all."""
        keep = self.keep_knobs
        return None if keep is None else Narrowing(keep, self.narrow_after)

    def __post_init__(self) -> None:
        if self.keep_knobs is not None:
            Narrowing(self.keep_knobs, self.narrow_after)  # refuses too few of either
        if self.trials is None and self.seconds is None:
            raise UsageError("a session needs a number of trials or a time budget")
        if self.trials is not None and self.trials < 1:
            raise UsageError(f"trials must be at least 1, not {self.trials}")
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"the time budget must be positive, not {self.seconds} s")
        if not self.cap_factor > 1:
            raise UsageError(f"the cap factor must be above 1, not {self.cap_factor}")
        if self.default_repeats < 1 or self.confirm_runs < 2 or self.prune_trials < 0:
            raise UsageError(
                "default repeats must be at least 1, confirmation runs at least 2, "
                "and prune trials not negative"
            )


def plan_from(stored: dict[str, Any]) -> Plan:
    """Read what `asdict` made of a plan; sessions of before the savings made none, but capped."""
    return Plan(**{**stored, "cheap": CheapTrials(**stored.get("cheap", {}))})
