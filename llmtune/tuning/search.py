"""The search: ask, measure, tell, until the plan's trials or seconds are used."""

from __future__ import annotations

from collections.abc import Iterable

from llmtune.errors import SessionError
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial
from llmtune.tuning.budget import search_is_over
from llmtune.tuning.record import Phase
from llmtune.tuning.runner import Runner
from optimizers.base import is_better
from optimizers.warm_start import Proposal, WarmStarted
from workloads.objective import Objective


def step(runner: Runner, optimizer: WarmStarted) -> bool:
    """Run one search trial; False, and nothing is run, when the session's plan is used up.

    Raises:
        SessionError: the default configuration could not be measured.
    """
    if _used_up(runner):
        return False
    proposal = optimizer.propose()
    trial = runner.measure(
        Phase.SEARCH, proposal.source, proposal.configuration, _cap(runner, proposal)
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


def _cap(runner: Runner, proposal: Proposal) -> float | None:
    """The value beyond which a trial need not go on; the default always runs to its end."""
    incumbent = runner.incumbent
    is_default = proposal.configuration == runner.evaluator.space.baseline()
    if (
        not runner.record.plan.cheap.cap
        or is_default
        or incumbent is None
        or incumbent.value is None
    ):
        return None
    return runner.evaluator.objective.worse_by(runner.record.plan.cap_factor, incumbent.value)


def _used_up(runner: Runner) -> bool:
    trials = runner.record.plan.trials
    out_of_trials = trials is not None and len(runner.search) >= trials
    return out_of_trials or search_is_over(runner)
