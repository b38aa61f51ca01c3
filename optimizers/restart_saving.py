"""Proposals that need no restart where one would change next to nothing.

That is for a session with a server of its own. Where others take turns with it, what is in
force is theirs, and each has its restart anyway.
"""

from __future__ import annotations

from typing import TypeVar

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.knob import Effect
from llmtune.knobs.resolved import ResolvedKnob
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial, TrialStatus
from optimizers.base import Optimizer, Wrapping
from optimizers.projection import Projection

Before = TypeVar("Before", Configuration, Configuration | None)


class KeptRestarts:
    """A projection: all restart knobs stay as they are in force, or none does.

    They stay when each lies within a level of its value in force. To keep some of
    them while another takes the restart would change the proposal for nothing.

    Attributes:
        in_force: what the server has now, as far as its optimizer was told; None:
            nothing yet.
    """

    def __init__(self, space: KnobSpace, project: Projection) -> None:
        """Project by `project` first; its result is what may be applied."""
        self.in_force: Configuration | None = None
        self._space = space
        self._project = project
        self._restart = [knob for knob in space.knobs if knob.effect is Effect.RESTART]

    def __call__(self, configuration: Configuration) -> Configuration:
        """The configuration, or its neighbour that can be applied without a restart."""
        proposed, present = self._project(configuration), self.in_force
        if present is None or not all(
            within_a_level(knob, proposed[knob.name], present[knob.name]) for knob in self._restart
        ):
            return proposed
        values = {knob.name: present[knob.name] for knob in self._restart}
        kept = self._project(self._space.configuration({**proposed, **values}))
        return kept if all(kept[name] == value for name, value in values.items()) else proposed


def within_a_level(knob: ResolvedKnob, one: Value, other: Value) -> bool:
    """Whether two values are no further apart than neighbouring levels of the knob.

    Choices and special values are near to themselves only.
    """
    if one == other:
        return True
    if knob.knob.choices or one in knob.specials or other in knob.specials:
        return False
    return abs(knob.fraction(one) - knob.fraction(other)) <= 1 / (knob.knob.levels - 1)


def left_in_force(trial: Trial, before: Before, baseline: Configuration) -> Before:
    """What the server has after a trial of this session, where it had `before` until then.

    A crashed one comes back on its original settings; a refused one counts as not applied.
    """
    if trial.status is TrialStatus.CRASHED:
        return baseline
    return before if trial.status is TrialStatus.REJECTED else trial.configuration


class RestartSaving(Wrapping):
    """Tells a `KeptRestarts` what is in force, and leaves the rest to the optimizer it wraps.

    Prior data, which are only learnt, put nothing in force here.
    """

    def __init__(self, inner: Optimizer, kept: KeptRestarts) -> None:
        """Wrap an optimizer whose asks `kept` projects."""
        super().__init__(inner)
        self._kept = kept

    def tell(self, trial: Trial) -> None:
        """Note what the server is left with, and pass the trial on."""
        self._kept.in_force = left_in_force(trial, self._kept.in_force, self.space.baseline())
        super().tell(trial)
