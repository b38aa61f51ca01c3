"""The decision: the search's best configuration, minimised, and held against the default."""

from __future__ import annotations

from llmtune.benchmark.noise import Noise
from llmtune.errors import SessionError
from llmtune.knobs.configuration import Configuration
from llmtune.trial import Trial
from llmtune.tuning.budget import allowance
from llmtune.tuning.confirm import Arm, Confirmation, confirm
from llmtune.tuning.events import PhaseStarted
from llmtune.tuning.prune import Pruning, prune
from llmtune.tuning.record import Phase
from llmtune.tuning.runner import Runner
from llmtune.tuning.search import second_best

LEAST_TOLERANCE = 0.01
MOST_TOLERANCE = 0.05
"""Bounds on the loss that pruning takes for noise: two or three repeats of the default
estimate the noise roughly, and no session should give away more than this."""


class Decision:
    """Turns what a session's search found into an answer, by real runs."""

    def __init__(self, runner: Runner) -> None:
        """Decide on the search that `runner` has made, with further trials of it."""
        self._runner = runner
        self._space = runner.evaluator.space
        self._objective = runner.evaluator.objective
        self._plan = runner.record.plan

    def minimise(self) -> Pruning | None:
        """The best configuration without the changes that do not matter.

        None when the search found nothing better than the default.

        Raises:
            SessionError: no trial succeeded.
        """
        best = self._best
        if best.configuration == self._space.baseline():
            return None
        limit = allowance(self._runner).prune_trials
        if limit:
            self._runner.on_event(PhaseStarted(Phase.PRUNE, limit, self._plan.seconds))

        def measure(configuration: Configuration, cap: float | None) -> Trial:
            return self._runner.measure(Phase.PRUNE, best.source, configuration, cap)

        return prune(
            measure, self._space, self._objective, best.configuration, self._tolerance(), limit
        )

    def confirm(self, pruning: Pruning | None) -> Confirmation:
        """Interleaved runs of the default, the answer and the runner-up.

        Raises:
            SessionError: no trial succeeded, or the default failed in these runs.
        """
        allowed = allowance(self._runner)
        arms, runs = self._arms(pruning, runner_up=allowed.runner_up), allowed.confirm_runs
        self._runner.on_event(PhaseStarted(Phase.CONFIRM, runs * len(arms), self._plan.seconds))
        confirmation = confirm(
            lambda arm: self._runner.measure(Phase.CONFIRM, arm.source, arm.configuration),
            arms,
            runs,
            self._objective,
            self._runner.record.seed,
        )
        if confirmation is None:
            raise SessionError("the default configuration failed in the final runs")
        return confirmation

    @property
    def _best(self) -> Trial:
        best = self._runner.incumbent
        if best is None:
            raise SessionError("no trial of the session succeeded, so there is nothing to decide")
        return best

    def _tolerance(self) -> float:
        """The relative loss that this target's noise hides."""
        default = self._space.baseline()
        repeats = [t.value for t in self._runner.search if t.configuration == default and t.value]
        noise = Noise.of(repeats).resolution if len(repeats) > 1 else 0.0
        return min(max(noise, LEAST_TOLERANCE), MOST_TOLERANCE)

    def _arms(self, pruning: Pruning | None, *, runner_up: bool) -> tuple[Arm, ...]:
        """Default, best and runner-up, each configuration once, the default first."""
        best = self._best
        arms = [Arm("default", "default", self._space.baseline())]
        minimal = best.configuration if pruning is None else pruning.configuration
        arms.append(Arm("best", best.source, minimal))
        second = second_best(self._runner.search, best, self._objective)
        if runner_up and second is not None:
            arms.append(Arm("runner-up", second.source, second.configuration))
        unique: dict[Configuration, Arm] = {}
        for arm in arms:
            unique.setdefault(arm.configuration, arm)
        return tuple(unique.values())
