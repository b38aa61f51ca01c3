"""Narrowing: after some trials, go on with the knobs that mattered in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from llmtune.errors import UsageError
from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial
from optimizers.base import Optimizer, Wrapping, is_better
from optimizers.importance import LEAST_CONFIGURATIONS, importance
from optimizers.projection import Projection

Rebuild: TypeAlias = Callable[[KnobSpace, Projection], Optimizer]
"""An optimizer of the same kind, objective and seed over a smaller space."""

NARROW_AFTER = 20
"""Trials after which narrowing decides, unless it is told another number."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """How many knobs to keep, and after how many trials to decide which."""

    keep: int
    after: int = NARROW_AFTER

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise UsageError(f"at least 1 knob must be kept, not {self.keep}")
        if self.after < LEAST_CONFIGURATIONS:
            raise UsageError(
                f"which knobs matter shows after {LEAST_CONFIGURATIONS} trials at the earliest, "
                f"not after {self.after}"
            )


class Narrowed(Wrapping):
    """Searches all knobs first, then the most important ones.

    The others stay as the incumbent has them when it decides. The optimizer of the
    smaller space is told all trials, those too in which the others were different:
    what they do is noise to it, little by the choice of the knobs. Everything follows
    from the tells, so a replayed journal narrows at the same place to the same knobs.
    """

    def __init__(
        self, inner: Optimizer, rebuild: Rebuild, project: Projection, narrowing: Narrowing
    ) -> None:
        """Wrap `inner`.

        Args:
            project: brings complete configurations into what may be applied.
        """
        super().__init__(inner)
        self.kept = inner.space.names
        self._rebuild = rebuild
        self._project = project
        self._narrowing = narrowing
        self._learnt: list[Trial] = []
        self._told: list[Trial] = []
        self._narrowed = False
        self._fixed: Mapping[str, Value] = {}

    def ask(self) -> Configuration:
        """The optimizer's choice of the knobs that it still has, completed."""
        return self._complete(super().ask())

    def tell(self, trial: Trial) -> None:
        """Pass it on; after the last trial before narrowing decides, start anew with fewer."""
        if is_better(trial, self._best, self.objective):
            self._best = trial
        self._told.append(trial)
        super().tell(self._restricted(trial))
        if self._due:
            self._narrow()

    def learn(self, trial: Trial) -> None:
        """Pass it on; prior data, which are only learnt, do not bring narrowing on."""
        self._learnt.append(trial)
        super().learn(self._restricted(trial))

    @property
    def best(self) -> Trial | None:
        """With all knobs; the wrapped optimizer's has only those that it still has."""
        return self._best

    @property
    def _due(self) -> bool:
        wide = not self._narrowed and len(self.space.names) > self._narrowing.keep
        return wide and len(self._told) >= self._narrowing.after

    def _narrow(self) -> None:
        trials = [*self._learnt, *self._told]
        ranked = importance(self.space, self.objective, trials, self.seed)
        if not ranked or self.best is None:
            return  # too many trials failed; the next tell tries again
        kept = {one.name for one in ranked[: self._narrowing.keep]}
        self.kept = tuple(name for name in self.space.names if name in kept)
        incumbent = self.best.configuration
        self._fixed = {name: value for name, value in incumbent.items() if name not in kept}
        self._narrowed = True
        self._inner = self._rebuild(self.space.subset(self.kept), self._allowed)
        for trial in self._learnt:
            self._inner.learn(self._restricted(trial))
        for trial in self._told:
            self._inner.tell(self._restricted(trial))

    def _allowed(self, few: Configuration) -> Configuration:
        """The kept knobs' part of what may be applied."""
        whole = self._complete(few)
        return Configuration({name: whole[name] for name in self.kept})

    def _complete(self, few: Configuration) -> Configuration:
        if not self._narrowed:
            return few
        return self._project(self.space.configuration({**self._fixed, **few}))

    def _restricted(self, trial: Trial) -> Trial:
        few = {name: trial.configuration[name] for name in self.kept}
        return replace(trial, configuration=Configuration(few))
