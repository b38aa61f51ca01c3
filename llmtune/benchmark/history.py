"""What a session's trials so far say of each query's time: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from llmtune.knobs.configuration import Configuration
from llmtune.trial import Trial, TrialStatus


@dataclass(frozen=True, slots=True)
class Timing:
    """One measured time.

    Attributes:
        seconds: those that count in its trial; of a stopped query as long as it ran.
        complete: the query ran to its end.
    """

    query_id: str
    configuration: Configuration
    seconds: float
    complete: bool


class History:
    """The times that a session measured, those that it reused left out."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        self._timings: dict[str, list[Timing]] = {}
        for trial in trials:
            for timing in _timings(trial):
                self._timings.setdefault(timing.query_id, []).append(timing)

    def complete(self, query_id: str) -> Sequence[Timing]:
        """The query's runs that came to their end."""
        return [one for one in self._timings.get(query_id, ()) if one.complete]

    def fastest(self) -> dict[str, float]:
        """Each query's shortest complete time, seconds."""
        times = {name: [t.seconds for t in self.complete(name)] for name in self._timings}
        return {name: min(seconds) for name, seconds in times.items() if seconds}

    def typical(self, query_id: str) -> float | None:
        """The query's mean seconds; None when it never ran to its end."""
        seconds = [timing.seconds for timing in self.complete(query_id)]
        return fmean(seconds) if seconds else None

    def configurations(self, query_id: str) -> int:
        """Under how many configurations the query was timed."""
        return len({timing.configuration for timing in self._timings.get(query_id, ())})

    def spread(self, query_id: str) -> float:
        """Standard deviation between configurations for each second spent; 0 with fewer than two.

        A query that was stopped counts as long as it ran: that it is slow is known.
        """
        seconds: dict[Configuration, list[float]] = {}
        for timing in self._timings.get(query_id, ()):
            seconds.setdefault(timing.configuration, []).append(timing.seconds)
        means = [fmean(each) for each in seconds.values()]
        return pstdev(means) / fmean(means) if len(means) > 1 and fmean(means) > 0 else 0.0


def _timings(trial: Trial) -> list[Timing]:
    """The last query of a trial that did not succeed may have been stopped, and counts so."""
    measured = [time for time in trial.query_times if not time.reused]
    ended = len(measured) - (trial.status is not TrialStatus.SUCCEEDED)
    return [
        Timing(time.query_id, trial.configuration, time.seconds, place < ended)
        for place, time in enumerate(measured)
    ]
