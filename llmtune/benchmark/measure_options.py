"""How trials are measured."""

from __future__ import annotations

from dataclasses import dataclass

from llmtune.errors import UsageError

LONGEST_TIMEOUT_S = 2_000_000.0
"""`statement_timeout` counts milliseconds in 31 bits."""


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """What is not the same for every benchmark; no command offers other `warm_passes`.

    Attributes:
        query_timeout_s: limit for one query, seconds.
        warm_passes: untimed passes before the timed one.
        steady: take the machine's changing pace out of the times.
    """

    query_timeout_s: float = 300.0
    warm_passes: int = 1
    steady: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.query_timeout_s <= LONGEST_TIMEOUT_S:
            raise UsageError(
                f"the limit for one query must be above 0 and at most {LONGEST_TIMEOUT_S:g} s, "
                f"not {self.query_timeout_s}"
            )
        if self.warm_passes < 0:
            raise UsageError(f"warm passes must not be negative: {self.warm_passes}")
