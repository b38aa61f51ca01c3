"""A session's time budget: when its search ends, and what its decision may cost."""

from __future__ import annotations

from dataclasses import dataclass

from llmtune.tuning.runner import Runner

RESERVED_SHARE = 0.4
"""The most of a time budget that is kept back for the decision."""

FEWEST_RUNS = 3
"""Of each configuration in the decision, however little time is left: with fewer hardly
anything could be proved."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a decision may cost.

    Attributes:
        prune_trials: trials at most for minimising the answer.
        confirm_runs: final runs of each configuration.
        runner_up: whether the runner-up takes part in them.
    """

    prune_trials: int
    confirm_runs: int
    runner_up: bool = True


@dataclass(frozen=True, slots=True)
class Pass:
    """Wall seconds of a trial of the default and of the best configuration."""

    default_s: float
    best_s: float

    def round_s(self, *, runner_up: bool) -> float:
        """One final run of each; a runner-up takes about as long as the best."""
        return self.default_s + (2 if runner_up else 1) * self.best_s


def search_is_over(runner: Runner) -> bool:
    """Whether the rest of the budget is the decision's."""
    plan = runner.record.plan
    if plan.seconds is None or not runner.search:
        return False
    one = _pass(runner)
    estimate = plan.confirm_runs * one.round_s(runner_up=True) + plan.prune_trials * one.best_s
    return runner.search_s + min(estimate, RESERVED_SHARE * plan.seconds) >= plan.seconds


def allowance(runner: Runner) -> Allowance:
    """What the seconds that the search left over suffice for.

    First all final runs, then without the runner-up, then fewer; pruning has the rest.
    It follows from the search's trials alone, so a decision that is taken up again is
    the same one.
    """
    plan = runner.record.plan
    if plan.seconds is None:
        return Allowance(plan.prune_trials, plan.confirm_runs)
    left, one = plan.seconds - runner.search_s, _pass(runner)
    runner_up = plan.confirm_runs * one.round_s(runner_up=True) <= left
    round_s = one.round_s(runner_up=runner_up)
    runs = max(min(FEWEST_RUNS, plan.confirm_runs), min(plan.confirm_runs, int(left / round_s)))
    trials = max(0, int((left - runs * round_s) / one.best_s))
    return Allowance(min(plan.prune_trials, trials), runs, runner_up)


def _pass(runner: Runner) -> Pass:
    first = runner.search[0]
    return Pass(first.wall_s, (runner.incumbent or first).wall_s)
