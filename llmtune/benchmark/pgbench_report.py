"""What pgbench says of a run: its summary, its errors and its log of latencies.

Source: PostgreSQL's manual, pgbench, "Per-Transaction Logging" and "Notes".
"""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmtune.errors import TargetError

_NUMBERS = {
    "tps": r"^tps = ([\d.]+)",
    "processed": r"^number of transactions actually processed: (\d+)",
    "failed": r"^number of failed transactions: (\d+)",
    "retried": r"^number of transactions retried: (\d+)",
}
_ABORTED = re.compile(
    r"client \d+ (?:script (?P<script>\d+) )?(?:aborted|failed)[^:]*:\s*(?P<reason>.*)"
)
_LOST = ("failed", "skipped")
"""In place of the latency of a transaction that was given up."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of a run that ended well.

    Attributes:
        tps: transactions that succeeded, in a second; connecting left out.
        failed: transactions given up after every repetition.
        retried: transactions that were repeated, after a deadlock or the like.
    """

    tps: float
    processed: int
    failed: int
    retried: int

    @classmethod
    def parse(cls, output: str) -> Summary:
        """Read pgbench's standard output.

        Raises:
            TargetError: it holds no summary.
        """
        found = {name: re.search(form, output, re.MULTILINE) for name, form in _NUMBERS.items()}
        if found["tps"] is None or found["processed"] is None:
            raise TargetError(f"pgbench ended with a summary unknown here: {output.strip()!r}")
        given = {name: match.group(1) if match else "0" for name, match in found.items()}
        return cls(
            float(given["tps"]),
            int(given["processed"]),
            int(given["failed"]),
            int(given["retried"]),
        )

    @property
    def note(self) -> str:
        """What went wrong without ending the run; empty when nothing did."""
        if not self.failed and not self.retried:
            return ""
        total = self.processed + self.failed
        return f"of {total} transactions {self.retried} were repeated and {self.failed} given up"


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds of every transaction that succeeded, by the number of its script."""

    by_script: Mapping[int, array[float]]

    @property
    def count(self) -> int:
        """Transactions that succeeded."""
        return sum(map(len, self.by_script.values()))

    def percentile(self, percent: float) -> float:
        """The latency that `percent` % of all transactions stay under, interpolated."""
        import numpy as np

        everything = np.concatenate([np.asarray(each) for each in self.by_script.values()])
        quantile: Any = np.percentile(everything, percent)
        return float(quantile)

    def mean(self, script: int) -> float | None:
        """Of one script's transactions; None when none succeeded."""
        own = self.by_script.get(script)
        return sum(own) / len(own) if own else None


def read_latencies(files: Iterable[Path]) -> Latencies:
    """Read the logs of all of pgbench's threads.

    A line is `client number microseconds script epoch fraction [retries]`.

    Raises:
        TargetError: a line of another form.
    """
    by_script: defaultdict[int, array[float]] = defaultdict(lambda: array("d"))
    for file in files:
        with file.open(encoding="ascii") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    _, _, latency, script, _ = line.split(" ", 4)
                    if latency not in _LOST:
                        by_script[int(script)].append(float(latency) / 1000)
                except ValueError as error:
                    raise TargetError(
                        f"{file.name}, line {number}: not of pgbench's log: {line.strip()!r}"
                    ) from error
    return Latencies(by_script)


def failure(errors: str, names: tuple[str, ...]) -> str:
    """Why pgbench gave up, from its standard error.

    Args:
        names: of the scripts, in order.
    """
    aborted = _ABORTED.search(errors)
    if aborted is None:
        lines = [line for line in errors.splitlines() if "error:" in line or "fatal:" in line]
        return (lines or errors.strip().splitlines() or ["pgbench gave no reason"])[0]
    script = aborted["script"]
    return f"transaction {names[int(script)]}: {aborted['reason']}" if script else aborted["reason"]
