"""Arms of a comparison: the sessions of one optimizer with one warm start, over seeds."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from llmtune.errors import UsageError
from llmtune.report.curve import Curve
from workloads.objective import Objective


@dataclass(frozen=True, slots=True)
class Run:
    """One session of one arm.

    Attributes:
        again: values of the final runs of its best configuration; None for one that failed.
    """

    seed: int
    curve: Curve
    again: tuple[float | None, ...] = ()

    @property
    def final_mean(self) -> float | None:
        """Over the final runs; None without any, or when one failed."""
        known = [value for value in self.again if value is not None]
        return fmean(known) if known and len(known) == len(self.again) else None


@dataclass(frozen=True, slots=True)
class Arm:
    """All sessions of one optimizer with one kind of warm start, such as `none` or `model`.

    Attributes:
        cold: whether nothing was proposed to the optimizer.
        way: how its sessions searched, where arms differ in that, such as `spare all`.
    """

    label: str
    runs: tuple[Run, ...]
    optimizer: str = ""
    cold: bool = False
    way: str = ""

    def __post_init__(self) -> None:
        seeds = [run.seed for run in self.runs]
        if not seeds or len(set(seeds)) != len(seeds):
            raise UsageError(f"{self.label}: an arm needs one session for each seed, not {seeds}")

    @property
    def objective(self) -> Objective:
        """What all its sessions were tuned for."""
        return self.runs[0].curve.objective
