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
    from optimizers.narrowed import Narrowing

DEFAULT_TRIALS = 30


def chosen_narrowing(
    keep_knobs: int | None, after: int | None, trials: int | None
) -> Narrowing | None:
    """How a search goes on with few knobs; None: it keeps all.

    Args:
        trials: of the search; None: it ends by time.

    Raises:
        UsageError: --after was given alone, or lies behind the search's last trial.
    """
    from optimizers.narrowed import NARROW_AFTER, Narrowing

    if keep_knobs is None:
        if after is not None:
            raise UsageError("--after says when to keep few knobs; say how many: --keep-knobs K")
        return None
    narrowing = Narrowing(keep_knobs, NARROW_AFTER if after is None else after)
    if trials is not None and narrowing.after >= trials:
        raise UsageError(
            f"--keep-knobs decides after {narrowing.after} trials, and no session has more: give "
            "more --trials, or a smaller --after"
        )
    return narrowing


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
        trials = self.trials
        if trials is None and self.time_budget is None:
            trials = DEFAULT_TRIALS
        narrowing = chosen_narrowing(self.keep_knobs, self.after, trials)
        return Plan(
            trials=trials,
            seconds=parse_duration(self.time_budget) if self.time_budget else None,
            cheap=parse_savings(self.spare or "all"),
            keep_knobs=self.keep_knobs,
            narrow_after=NARROW_AFTER if narrowing is None else narrowing.after,
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
