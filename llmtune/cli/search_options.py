"""The options of `llmtune tune` that say how it searches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from llmtune.cli import options
from llmtune.errors import UsageError
from llmtune.units import parse_duration

if TYPE_CHECKING:
    from llmtune.benchmark.evaluator import Evaluator
    from llmtune.tuning.plan import Plan
    from llmtune.tuning.record import Prior, Request
    from llmtune.tuning.store import SessionStore

DEFAULT_TRIALS = 30


def check_after(keep_knobs: int | None, after: int | None) -> None:
    """Refuse a time to keep few knobs where none are to be kept.

    Raises:
        UsageError: --after was given alone.
    """
    if after is not None and keep_knobs is None:
        raise UsageError("--after says when to keep few knobs; say how many: --keep-knobs K")


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Which optimizer, from where, and for how long."""

    optimizer: Annotated[
        str,
        typer.Option(
            help="What proposes configurations after the warm start. `tpe` is light and works with "
            "everything; `plan` is the better choice for a workload of queries. Others: `forest`, "
            "`gp`, `cmaes`, `hebo`, `smac`, `turbo`, `ddpg`, `sobol`, `random`, `llamatune`, or "
            "`llamatune+` before another's name."
        ),
    ] = "tpe"
    warm_start: Annotated[
        str,
        typer.Option(
            help="What is tried first, after the default: `model` (with the rules), `rules`, "
            "`nearest`, `constant`, `surrogate`, nothing (`default`, `none`), a JSON file of "
            "configurations, or several with commas between them."
        ),
    ] = "model"
    prior: Annotated[
        str | None,
        typer.Option(
            metavar="SESSION",
            help="Tell the optimizer the trials of this stored session first, or of several with "
            "commas between them, and try their best again. They must be of the same workload, "
            "server and knobs.",
        ),
    ] = None
    trials: Annotated[
        int | None,
        typer.Option(
            show_default="30, or as many as the time budget allows",
            help="Number of search trials, the default's included. Minimising and the final runs "
            "come on top.",
        ),
    ] = None
    time_budget: options.TimeBudget = None
    spare: options.Spare = None
    keep_knobs: options.KeepKnobs = None
    after: options.After = None

    def plan(self) -> Plan:
        """How long the session searches, and how.

        Raises:
            UsageError: there is no such optimizer, or options do not go together.
        """
        from llmtune.benchmark.cheap import parse_savings
        from llmtune.tuning.plan import Plan
        from optimizers.narrowed import NARROW_AFTER
        from optimizers.registry import check_name, check_narrowing

        check_name(self.optimizer)
        if self.keep_knobs is not None:
            check_narrowing(self.optimizer)
        check_after(self.keep_knobs, self.after)
        budgeted = self.time_budget is not None
        return Plan(
            trials=DEFAULT_TRIALS if self.trials is None and not budgeted else self.trials,
            seconds=parse_duration(self.time_budget) if self.time_budget else None,
            cheap=parse_savings(self.spare or "all"),
            keep_knobs=self.keep_knobs,
            narrow_after=NARROW_AFTER if self.after is None else self.after,
        )

    @property
    def queries_only(self) -> bool:
        """Whether the optimizer needs a workload whose queries can be planned."""
        from optimizers.registry import looks_at_plans

        return looks_at_plans(self.optimizer)

    def check_prior(self, store: SessionStore) -> None:
        """Find out before anything is loaded whether the earlier sessions are there.

        Raises:
            As `earlier_sessions`.
        """
        from llmtune.tuning.prior import earlier_sessions

        if self.prior is not None:
            earlier_sessions(store, self.prior)

    def known(
        self, store: SessionStore, evaluator: Evaluator, request: Request
    ) -> tuple[Prior, ...]:
        """What the optimizer is told before its first ask.

        Raises:
            As `prior_of`.
        """
        from llmtune.tuning.prior import prior_of

        return () if self.prior is None else prior_of(store, self.prior, evaluator, request)
