"""A fake query timer: a bowl over the knobs for each query, and no server."""

from __future__ import annotations

from collections.abc import Mapping

from llmtune.benchmark.queries import QueryOutcome
from llmtune.benchmark.synthetic import Behaviour, SyntheticEvaluator
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.trial import TrialStatus
from workloads.workload import Workload


class SyntheticTimer:
    """Answers without noise, at once; a query over its limit is TIMED_OUT at the limit.

    All queries have one optimum. The n-th takes n seconds under the default
    configuration, and the later ones gain more.

    Attributes:
        asked: the limits of every call of `measure_queries`, in order.
        steady: its times are as they are; no machine has a pace.
    """

    steady = False

    def __init__(self, space: KnobSpace, workload: Workload, seed: int = 0) -> None:
        self.space = space
        self.workload = workload
        self.asked: list[Mapping[str, float]] = []
        self._surfaces = {
            query.id: SyntheticEvaluator(
                space, seed, Behaviour(active=3, optimum_gain=1.5 + number), base=float(number)
            )
            for number, query in enumerate(workload.queries, start=1)
        }

    @property
    def feature_names(self) -> tuple[str, ...]:
        """What each position of the vectors of `what_if` means."""
        return ("query.seconds", *(f"knob.{name}" for name in self.space.names))

    def seconds(self, configuration: Configuration) -> dict[str, float]:
        """Seconds of each query id."""
        return {name: surface.value(configuration) for name, surface in self._surfaces.items()}

    def what_if(self, configuration: Configuration) -> dict[str, tuple[float, ...]]:
        """A feature vector for each query id: its size, and the knobs' positions."""
        positions = [knob.position(configuration[knob.name]) for knob in self.space.knobs]
        return {name: (surface.base, *positions) for name, surface in self._surfaces.items()}

    def measure_queries(
        self, configuration: Configuration, timeouts_s: Mapping[str, float]
    ) -> tuple[QueryOutcome, ...]:
        """See `Benchmark.measure_queries`."""
        self.asked.append(timeouts_s)
        self.space.validate(configuration)
        return tuple(
            _outcome(name, seconds, timeouts_s.get(name))
            for name, seconds in self.seconds(configuration).items()
        )


def _outcome(query_id: str, seconds: float, limit: float | None) -> QueryOutcome:
    if limit is not None and seconds > limit:
        return QueryOutcome(query_id, limit, TrialStatus.TIMED_OUT, "synthetic limit")
    return QueryOutcome(query_id, seconds, TrialStatus.SUCCEEDED)
