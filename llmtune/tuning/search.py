"""The search: ask, measure, tell, until the plan's trials or seconds are used."""

from __future__ import annotations

from collections.abc import Iterable

from llmtune.errors import SessionError
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial
from llmtune.tuning.plan import Plan
from llmtune.tuning.record import Phase
from llmtune.tuning.runner import Runner
from optimizers.base import is_better
from optimizers.warm_start import Proposal, WarmStarted
from workloads.objective import Direction, Objective

RESERVED_SHARE = 0.4
"""The most of a time budget that is kept back for the decision."""


def step(runner: Runner, optimizer: WarmStarted, plan: Plan) -> bool:
    """Run one search trial; False, and nothing is run, when the plan is used up.

    Raises:
        SessionError: the default configuration could not be measured.
    """
    if _used_up(runner, plan):
        return False
    proposal = optimizer.propose()
    trial = runner.measure(
        Phase.SEARCH, proposal.source, proposal.configuration, _cap(runner, proposal, plan)
    )
    if default_failed(trial, optimizer.space):
        raise SessionError(
            "the workload does not run under the target's default configuration: "
            f"{trial.status}: {trial.message or 'no reason given'}"
        )
    optimizer.tell(trial)
    return True


def default_failed(trial: Trial, space: KnobSpace) -> bool:
    """Whether the trial shows that the workload does not run as the target is set now."""
    return trial.configuration == space.baseline() and not trial.succeeded


def best_of(trials: Iterable[Trial], objective: Objective) -> Trial | None:
    """The best successful trial, the first of equals; None if there is none."""
    best: Trial | None = None
    for trial in trials:
        best = trial if is_better(trial, best, objective) else best
    return best


def second_best(trials: tuple[Trial, ...], best: Trial, objective: Objective) -> Trial | None:
    """The best successful trial of a configuration other than `best`'s; None if there is none."""
    return best_of((t for t in trials if t.configuration != best.configuration), objective)


def _cap(runner: Runner, proposal: Proposal, plan: Plan) -> float | None:
    """The value beyond which a trial need not go on; the default always runs to its end."""
    incumbent = runner.incumbent
    is_default = proposal.configuration == runner.evaluator.space.baseline()
    if is_default or incumbent is None or incumbent.value is None:
        return None
    if runner.evaluator.objective.direction is Direction.MINIMIZE:
        return incumbent.value * plan.cap_factor
    return incumbent.value / plan.cap_factor


def _used_up(runner: Runner, plan: Plan) -> bool:
    done = runner.search
    if plan.trials is not None and len(done) >= plan.trials:
        return True
    if plan.seconds is None or not done:
        return False
    return runner.elapsed_s + _decision_s(runner, plan) >= plan.seconds


def _decision_s(runner: Runner, plan: Plan) -> float:
    """About how many seconds pruning and confirmation will take, within their share."""
    assert plan.seconds is not None  # noqa: S101  the only caller asks for this case
    first, best = runner.search[0], runner.incumbent or runner.search[0]
    runs = plan.confirm_runs
    estimate = runs * first.wall_s + (2 * runs + plan.prune_trials) * best.wall_s
    return min(estimate, RESERVED_SHARE * plan.seconds)
