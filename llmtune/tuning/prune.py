"""Minimal answers: put every knob back to its baseline whose change does not matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial
from workloads.objective import Objective

Measure = Callable[[Configuration, float | None], Trial]
"""Runs a configuration, up to a cap in the objective's unit."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """The outcome.

    Attributes:
        configuration: the best one with only the changes that are kept.
        dropped: knobs that went back to their baseline, by real runs no worse.
    """

    configuration: Configuration
    dropped: tuple[str, ...]


def prune(
    measure: Measure,
    space: KnobSpace,
    objective: Objective,
    best: Configuration,
    tolerance: float,
    limit: int,
) -> Pruning:
    """Drop changes from `best` in groups while the value stays within `tolerance`.

    The first trial runs `best` once more: its value in the search was picked for
    being lucky too, and every later one is compared with this fresh one. Where it does
    not succeed any more there is nothing to compare with, and nothing is dropped. All
    are compared with the same reference, so losses do not add up. Groups are those of
    the catalogue, since knobs of one group work together; a group that matters is
    halved and tried again, larger ones first.

    Args:
        tolerance: relative loss that counts as none, such as 0.02.
        limit: trials at most, the first included.
    """
    changed = tuple(best.changes(space.baseline()))
    if not changed or limit < 2:
        return Pruning(best, ())
    reference = measure(best, None)
    if not reference.succeeded or reference.value is None:
        return Pruning(best, ())
    threshold = objective.worse_by(1.0 + tolerance, reference.value)
    waiting = _catalogue_groups(space, changed)
    current, trials = best, 1
    while waiting and trials < limit:
        group = max(waiting, key=len)
        waiting.remove(group)
        candidate = _put_back(current, group, space)
        trial = measure(candidate, threshold)
        trials += 1
        if _no_worse(trial, threshold, objective):
            current = candidate
        elif len(group) > 1:
            middle = len(group) // 2
            waiting += [group[:middle], group[middle:]]
    kept = current.changes(space.baseline())
    return Pruning(current, tuple(name for name in changed if name not in kept))


def _catalogue_groups(space: KnobSpace, names: Sequence[str]) -> list[tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    for name in names:
        group = space[name].knob.group
        groups[group] = (*groups.get(group, ()), name)
    return list(groups.values())


def _put_back(
    configuration: Configuration, names: Sequence[str], space: KnobSpace
) -> Configuration:
    baseline = space.baseline()
    return space.configuration({**configuration, **{name: baseline[name] for name in names}})


def _no_worse(trial: Trial, threshold: float, objective: Objective) -> bool:
    return (
        trial.succeeded and trial.value is not None and not objective.better(threshold, trial.value)
    )
