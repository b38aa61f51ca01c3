"""A trial: one configuration, applied, read back and measured: value plus status."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from llmtune.knobs.configuration import Configuration

FELT = 0.75
"""The part of the probe's slowness, in logarithms, that queries feel: they also wait for
memory and disks, which the probe's arithmetic does not (docs/measurements.md)."""


class TrialStatus(StrEnum):
    """How a trial ended. Only SUCCEEDED and CAPPED carry a value."""

    SUCCEEDED = "succeeded"
    CAPPED = "capped"
    """Stopped at the cap: the value is a bound that the real one lies beyond."""
    CRASHED = "crashed"
    """The server did not start under the configuration, or died while measured."""
    REJECTED = "rejected"
    """A guard refused the configuration, or it read back differently."""
    TIMED_OUT = "timed_out"
    """A query ran into its statement timeout."""
    FAILED = "failed"
    """A query raised an error."""


@dataclass(frozen=True, slots=True)
class QueryTime:
    """The seconds of one query, as they count in a trial.

    Attributes:
        reused: not measured in this trial but taken from earlier ones, in which the
            query had the same plan and the same run-time knobs.
    """

    query_id: str
    seconds: float
    reused: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the machine was while a trial was timed.

    Attributes:
        probe_s: mean seconds of a fixed piece of work that was done between the queries.
        reference_s: what it took in the session's first trial.
    """

    probe_s: float
    reference_s: float

    def __post_init__(self) -> None:
        if not (self.probe_s > 0 and self.reference_s > 0):
            raise ValueError(f"a pace is made of positive seconds: {self}")

    @property
    def ratio(self) -> float:
        """About how many times slower queries were than at the reference."""
        slowdown: float = (self.probe_s / self.reference_s) ** FELT
        return slowdown


@dataclass(frozen=True, slots=True)
class Trial:
    """One measured configuration.

    Attributes:
        number: position in its session, from 0.
        source: who proposed it: an optimizer's name, `model`, `rules`, `default` ...
        value: in the objective's unit; None unless SUCCEEDED or CAPPED.
        query_times: those that were reused, then those of the timed pass as far as it
            got, or the means of two such passes where one left open whether it is the
            best; the last one of a trial that did not succeed may be a query that was
            stopped, with half of its seconds where that was while warming.
        wall_s: seconds from applying to the end, everything included.
        measured_s: seconds of `wall_s` in which queries ran.
        message: why it did not succeed, for people.
        pace: where it was taken out: `value` and `query_times` are then what they would
            be at the reference, while `wall_s` and `measured_s` are as they were.
    """

    number: int
    source: str
    configuration: Configuration
    status: TrialStatus
    value: float | None = None
    query_times: tuple[QueryTime, ...] = field(default=())
    wall_s: float = 0.0
    measured_s: float = 0.0
    message: str = ""
    pace: Pace | None = None

    def __post_init__(self) -> None:
        carries = self.status in (TrialStatus.SUCCEEDED, TrialStatus.CAPPED)
        if carries != (self.value is not None):
            raise ValueError(f"a trial that is {self.status} cannot have the value {self.value}")

    @property
    def succeeded(self) -> bool:
        """Whether the value is a measurement, not a bound and not missing."""
        return self.status is TrialStatus.SUCCEEDED

    def held_against(self, reference_s: float) -> Trial:
        """The trial at another reference pace, seconds of the probe; as it is without a pace."""
        if self.pace is None:
            return self
        factor = Pace(reference_s, self.pace.reference_s).ratio
        return replace(
            self,
            value=None if self.value is None else self.value * factor,
            query_times=tuple(replace(q, seconds=q.seconds * factor) for q in self.query_times),
            pace=Pace(self.pace.probe_s, reference_s),
        )
