"""A fake evaluator: a response surface with noise and failures, and no server."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.space import KnobSpace
from llmtune.trial import QueryTime, Trial, TrialStatus
from optimizers.space import UnitCube
from workloads.objective import LATENCY, Objective

if TYPE_CHECKING:
    from collections.abc import Mapping


NEAREST = 0.25
"""How near to the default the optimum may lie, as the root mean square over the knobs that
matter: any nearer, and so much to be gained so close by would make a spike of the surface."""

LEVY_WIDTH, LEVY_RIPPLE = 5.0, 10.0
"""The customary domain of Levy's function, -10 to 10, in its own inner unit; and how far its
ripples rise above the bowl."""


class Shape(Enum):
    """How a knob's harm grows with the distance, -1 to 1, between its value and the best.

    BOWL is a parabola. LEVY has some five local optima along each knob: the inner terms of
    A. V. Levy and A. Montalvo's function ("The Tunneling Algorithm for the Global
    Minimization of Functions", 1985), scaled to stay between 0 and 1.
    """

    BOWL = "bowl"
    LEVY = "levy"

    def harm(self, distance: float) -> float:
        """From 0 at the best value to at most 1."""
        if self is Shape.BOWL:
            return distance**2
        phase = math.pi * (LEVY_WIDTH * distance + 1.0) + 1.0
        ripple = 1.0 + LEVY_RIPPLE * math.sin(phase) ** 2
        return distance**2 * ripple / (1.0 + LEVY_RIPPLE)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a synthetic evaluator answers.

    Attributes:
        active: how many knobs matter; the others leave the value alone.
        optimum_gain: how many times better the optimum is than the default.
        noise: standard deviation of the log of the value.
        crash_share: share of configurations under which the server would not start.
        default_is_best: the surface's optimum lies at the default configuration.
        shape: of the surface along each knob that matters.
    """

    active: int = 4
    optimum_gain: float = 2.0
    noise: float = 0.01
    crash_share: float = 0.0
    default_is_best: bool = False
    shape: Shape = Shape.BOWL


class SyntheticEvaluator:
    """Answers from a surface over the knobs' positions, in `base` seconds at the default.

    The best value of each knob that matters is drawn evenly from the knob's range, as in
    the usual test functions (N. Hansen et al., "COCO", arXiv 1603.08785), so beginning
    at the default is neither for nor against an optimizer.

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
        self._optimum = self._drawn_optimum(rng)
        self._noise = np.random.default_rng([seed, 1])
        self._default_harm = self._harm(space.baseline())

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
        gain = math.log(self.behaviour.optimum_gain)
        exponent = gain * (self._harm(configuration) / (self._default_harm or 1.0) - 1.0)
        if self.behaviour.default_is_best:
            exponent = gain * self._harm(configuration)
        return self.base * math.exp(exponent)

    @property
    def query_ids(self) -> tuple[str, ...]:
        """One query for each active knob, in their order."""
        return tuple(f"q{number}" for number in range(1, len(self.active) + 1))

    def harms(self, configuration: Mapping[str, Value]) -> list[float]:
        """What each active knob's distance to its best value does, 0 to 1."""
        distances = self._distances(configuration, self._optimum)
        return [self.behaviour.shape.harm(distance) for distance in distances]

    def _distances(self, one: Mapping[str, Value], other: Mapping[str, Value]) -> list[float]:
        return [self._position(n, one[n]) - self._position(n, other[n]) for n in self.active]

    def _drawn_optimum(self, rng: np.random.Generator) -> Mapping[str, Value]:
        """The best value of each active knob."""
        default = self.space.baseline()
        if self.behaviour.default_is_best or not self.active:
            return default
        axes = UnitCube(self.space).axes
        while True:
            drawn = {name: axes[name].value(float(rng.uniform())) for name in self.active}
            if np.mean(np.square(self._distances(drawn, default))) >= NEAREST**2:
                return drawn

    def _harm(self, configuration: Mapping[str, Value]) -> float:
        harms = self.harms(configuration)
        return sum(harms) / max(1, len(harms))

    def _query_times(
        self, configuration: Mapping[str, Value], value: float
    ) -> tuple[QueryTime, ...]:
        scale = math.log(self.behaviour.optimum_gain) / (self._default_harm or 1.0)
        parts = [math.exp(scale * harm) for harm in self.harms(configuration)]
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
