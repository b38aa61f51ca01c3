"""A recorded benchmark: answers from a surrogate of measured times, with no server.

The surrogate predicts the logarithm of every query's seconds from the knobs' positions
and is fitted to a recording. What it says far from every measured configuration is an
extrapolation: results are good for comparing optimizers, and for nothing said of a
server. Wherever they are shown, they are labelled `recorded, not measured`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmtune.benchmark.recorded_surrogate import KINDS, held_out_r2
from llmtune.benchmark.recording import Recording
from llmtune.benchmark.timed_pass import WARM_FACTOR
from llmtune.errors import DatasetError
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.knob import Effect
from llmtune.knobs.space import KnobSpace
from llmtune.trial import QueryTime, Trial, TrialStatus
from optimizers.space import Floats, UnitCube
from workloads.objective import LATENCY

LABEL = "recorded, not measured"
RESTART_S, APPLY_S = 0.5, 0.02
"""Stated wall seconds of a restart, and of anything else around the queries: what an
embedded server took on two cores with a fast local disk."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How well the surrogate predicts configurations that it was not fitted to.

    Attributes:
        kind: of the surrogate that was chosen.
        r2: share of the variance of the queries' log seconds that each kind explains
            on held-out configurations; the rest is noise and what it gets wrong.
        noise: standard deviation of the log of the total when a configuration is repeated.
    """

    kind: str
    r2: dict[str, float]
    noise: float

    def __str__(self) -> str:
        scores = ", ".join(f"{kind} {score:.2f}" for kind, score in self.r2.items())
        return (
            f"surrogate: {self.kind}, chosen by the R2 of held-out log query times ({scores}); "
            f"noise of a total: {self.noise:.0%}, as measured"
        )


class RecordedEvaluator:
    """Predicted query times, with residuals of real repeats as their noise.

    The same seed, number and configuration give the same trial. Wall seconds, restarts
    among them, are stated in the trials and never spent.

    Attributes:
        fit: how the surrogate was chosen, and how good it is.
    """

    def __init__(self, recording: Recording, seed: int = 0) -> None:
        """Fit the surrogate; takes about two seconds.

        Raises:
            DatasetError, UsageError: the recording is not of this version's knobs.
        """
        self.space: KnobSpace = recording.space()
        self.objective = LATENCY
        self.seed = seed
        self.recording = recording
        self._cube = UnitCube(self.space)
        rows = recording.complete
        configurations = recording.configurations(self.space)
        points = np.array([self._cube.vector(configurations[row]) for row in rows])
        logs = np.log(recording.seconds[rows])
        groups = _groups([configurations[row] for row in rows])
        self._residuals = _residuals(logs, groups)
        self._weights = np.array(recording.weights)
        scores = {kind: held_out_r2(fit, points, logs, groups) for kind, fit in KINDS.items()}
        kind = max(scores, key=lambda one: scores[one])
        self._predict = KINDS[kind](points, logs)
        self.fit = Fit(kind, scores, self._total_noise(logs, groups))
        self._restarting = [k.name for k in self.space.knobs if k.effect is Effect.RESTART]
        self._running = self._restart_values(self.space.default())

    @property
    def notes(self) -> tuple[str, ...]:
        """What one must know to read its values."""
        recording = self.recording
        return (
            f"{LABEL}: predicted from {len(recording.complete)} measured runs of {recording.name} "
            f"(PostgreSQL {recording.server_version}, {recording.hardware.cores} cores, "
            f"{recording.hardware.memory >> 20} MiB, LLMTune {recording.code_version})",
            str(self.fit),
            f"wall time: predicted query times of a warm and a timed pass, {RESTART_S} s for a "
            "restart, and the real seconds of suggesting and asking",
        )

    def with_seed(self, seed: int) -> RecordedEvaluator:
        """The same surrogate under another seed's noise, its server freshly started."""
        other: RecordedEvaluator = object.__new__(RecordedEvaluator)
        other.__dict__.update(self.__dict__)
        other.seed = seed
        other._running = other._restart_values(other.space.default())
        return other

    def expected(self, configuration: Configuration) -> float:
        """The weighted total in seconds without noise."""
        return float(self._weights @ np.exp(self._logs(configuration)))

    def measure(
        self, configuration: Configuration, *, number: int, source: str, cap: float | None = None
    ) -> Trial:
        """Answer at once; see `Evaluator.measure`."""
        self.space.validate(configuration)
        # A spawned stream: optimizers draw from those of [seed, number], and what they draw
        # must not tell the noise.
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number,)))
        warm_cap = None if cap is None else cap * WARM_FACTOR
        warm = self._pass(configuration, rng, warm_cap)
        timed = self._pass(configuration, rng, cap) if warm.complete else _Pass((), False)
        measured_s = sum(warm.seconds) + sum(timed.seconds)
        ended = warm.complete and timed.complete
        value = float(self._weights @ np.array(timed.seconds)) if ended else cap
        return Trial(
            number,
            source,
            configuration,
            TrialStatus.SUCCEEDED if ended else TrialStatus.CAPPED,
            value,
            query_times=tuple(map(QueryTime, self.recording.query_ids, timed.seconds)),
            wall_s=measured_s + self._restart_s(configuration) + APPLY_S,
            measured_s=measured_s,
            message="" if ended else f"stopped at the cap of {cap:.3g} s",
        )

    def _pass(
        self, configuration: Configuration, rng: np.random.Generator, cap: float | None
    ) -> _Pass:
        """One pass over the queries, stopped within the query that reaches the cap."""
        residual = self._residuals[rng.integers(len(self._residuals))]
        seconds = np.exp(self._logs(configuration) + residual)
        totals = np.cumsum(self._weights * seconds)
        if cap is None or totals[-1] <= cap:
            return _Pass(tuple(seconds.tolist()), True)
        last = int(np.searchsorted(totals, cap))
        before = totals[last - 1] if last else 0.0
        cut = [*seconds[:last].tolist(), float((cap - before) / self._weights[last])]
        return _Pass(tuple(cut), False)

    def _logs(self, configuration: Configuration) -> Floats:
        logs: Floats = self._predict(self._cube.vector(configuration)[None, :])[0]
        return logs

    def _restart_s(self, configuration: Configuration) -> float:
        before, self._running = self._running, self._restart_values(configuration)
        return RESTART_S if before != self._running else 0.0

    def _restart_values(self, configuration: Configuration) -> tuple[object, ...]:
        return tuple(configuration[name] for name in self._restarting)

    def _total_noise(self, logs: Floats, groups: NDArray[np.intp]) -> float:
        totals = np.log(np.exp(logs) @ self._weights)[:, None]
        return float(_residuals(totals, groups).std())


@dataclass(frozen=True, slots=True)
class _Pass:
    """Seconds of the queries as far as a pass came."""

    seconds: tuple[float, ...]
    complete: bool


def _groups(configurations: Sequence[Configuration]) -> NDArray[np.intp]:
    """The same number for the same configuration, shape (runs,)."""
    numbers = {one: number for number, one in enumerate(dict.fromkeys(configurations))}
    return np.array([numbers[one] for one in configurations])


def _residuals(logs: Floats, groups: NDArray[np.intp]) -> Floats:
    """How repeats of one configuration differ from their mean, shape (repeats, queries).

    A row is a whole run's: queries of one run are slow together. The factor makes up for
    the mean having been taken from the same repeats.

    Raises:
        DatasetError: nothing was repeated, so the noise is unknown.
    """
    rows = []
    for group in range(groups.max() + 1):
        repeats = logs[groups == group]
        count = len(repeats)
        if count > 1:
            rows.append((repeats - repeats.mean(axis=0)) * np.sqrt(count / (count - 1)))
    if not rows:
        raise DatasetError(
            "no configuration of the recording was measured twice, so its noise is unknown; "
            "`llmtune datagen` repeats the default by itself"
        )
    return np.concatenate(rows)
