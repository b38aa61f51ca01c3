"""A fake evaluator: a smooth response surface with noise and failures, and no server."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.space import KnobSpace
from llmtune.trial import QueryTime, Trial, TrialStatus
from workloads.objective import LATENCY, Objective

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a synthetic evaluator answers.

    Attributes:
        active: how many knobs matter; the others leave the value alone.
        optimum_gain: how many times better the optimum is than the default.
        noise: standard deviation of the log of the value.
        crash_share: share of configurations under which the server would not start.
        default_is_best: the surface's optimum lies at the default configuration.
    """

    active: int = 4
    optimum_gain: float = 2.0
    noise: float = 0.01
    crash_share: float = 0.0
    default_is_best: bool = False


class SyntheticEvaluator:
    """Answers from a bowl over the knobs' positions, in `base` seconds at the default.

    The same seed gives the same surface and the same noise. Wall seconds are
    stated in the trials, never spent. There is one query for each knob that matters,
    and it takes the more of the total the farther its knob is from the best.

    Attributes:
        active: the names of the knobs that matter.
        measured: how many times `measure` was called.
    """

    def __init__(
        self,
        space: KnobSpace,
        seed: int,
        behaviour: Behaviour | None = None,
        objective: Objective = LATENCY,
        base: float = 10.0,
    ) -> None:
        self.space = space
        self.objective = objective
        self.behaviour = behaviour or Behaviour()
        self.base = base
        self.measured = 0
        rng = np.random.default_rng(seed)
        count = min(self.behaviour.active, len(space.names))
        chosen = set(rng.choice(len(space.names), count, replace=False).tolist())
        self.active = tuple(name for at, name in enumerate(space.names) if at in chosen)
        default = space.baseline()
        self._optimum = {name: self._position(name, default[name]) for name in self.active}
        if not self.behaviour.default_is_best:
            # Well away from the default: how far decides how steep the bowl is.
            self._optimum = {
                name: (at + float(rng.uniform(0.4, 0.6))) % 1.0
                for name, at in self._optimum.items()
            }
        self._noise = np.random.default_rng([seed, 1])
        self._default_distance = self._distance(default)

    def measure(
        self,
        configuration: Configuration,
        *,
        number: int,
        source: str,
        cap: float | None = None,
    ) -> Trial:
        """Answer at once; see `Evaluator.measure`."""
        self.measured += 1
        self.space.validate(configuration)
        if self._crashes(configuration):
            return Trial(
                number, source, configuration, TrialStatus.CRASHED, wall_s=1.0,
                message="synthetic crash",
            )  # fmt: skip
        value = self.value(configuration) * math.exp(
            self.behaviour.noise * float(self._noise.standard_normal())
        )
        times = self._query_times(configuration, value)
        status = TrialStatus.SUCCEEDED
        if cap is not None and self.objective.better(cap, value):
            value, status, times = cap, TrialStatus.CAPPED, _until(cap, times)
        return Trial(
            number, source, configuration, status, value,
            query_times=times, wall_s=value + 1.0, measured_s=value,
        )  # fmt: skip

    def value(self, configuration: Mapping[str, Value]) -> float:
        """The noise-free value: `base` at the default, `base / optimum_gain` at the best."""
        scale = self._default_distance or 1.0
        gain = math.log(self.behaviour.optimum_gain)
        exponent = gain * (self._distance(configuration) / scale - 1.0)
        if self.behaviour.default_is_best:
            exponent = gain * self._distance(configuration)
        return self.base * math.exp(exponent)

    @property
    def query_ids(self) -> tuple[str, ...]:
        """One query for each active knob, in their order."""
        return tuple(f"q{number}" for number in range(1, len(self.active) + 1))

    def distances(self, configuration: Mapping[str, Value]) -> list[float]:
        """Each active knob's squared distance to its optimum, 0 to 1."""
        return [
            (self._position(name, configuration[name]) - self._optimum[name]) ** 2
            for name in self.active
        ]

    def _distance(self, configuration: Mapping[str, Value]) -> float:
        squares = self.distances(configuration)
        return sum(squares) / max(1, len(squares))

    def _query_times(
        self, configuration: Mapping[str, Value], value: float
    ) -> tuple[QueryTime, ...]:
        scale = math.log(self.behaviour.optimum_gain) / (self._default_distance or 1.0)
        parts = [math.exp(scale * distance) for distance in self.distances(configuration)]
        return tuple(
            QueryTime(query_id, value * part / sum(parts))
            for query_id, part in zip(self.query_ids, parts, strict=True)
        )

    def _position(self, name: str, value: Value) -> float:
        return self.space[name].position(value)

    def _crashes(self, configuration: Configuration) -> bool:
        """Whether this configuration is in the crashing share; the default never is."""
        if configuration == self.space.baseline():
            return False
        positions = [self._position(name, configuration[name]) for name in self.space.names]
        # A fixed irrational stride spreads any configuration evenly over 0 to 1.
        return (sum(positions) * 61.803398875) % 1.0 < self.behaviour.crash_share


def _until(cap: float, times: tuple[QueryTime, ...]) -> tuple[QueryTime, ...]:
    """The times as far as a pass came that was stopped after `cap` seconds."""
    done: list[QueryTime] = []
    for time in times:
        left = cap - sum(one.seconds for one in done)
        if left <= 0:
            break
        done.append(QueryTime(time.query_id, min(time.seconds, left)))
    return tuple(done)
