"""Optimizers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from llmtune.errors import UnknownName
from llmtune.knobs.space import KnobSpace
from optimizers.base import Optimizer
from optimizers.projection import Projection, memory_projection
from workloads.objective import Objective

Build: TypeAlias = Callable[[KnobSpace, Objective, int, Projection], Optimizer]


def _random(space: KnobSpace, objective: Objective, seed: int, project: Projection) -> Optimizer:
    from optimizers.random_search import RandomSearch

    return RandomSearch(space, objective, seed, project)


def _tpe(space: KnobSpace, objective: Objective, seed: int, project: Projection) -> Optimizer:
    from optimizers.tpe import TPE

    return TPE(space, objective, seed, project)


# Each entry imports its backend when it is built, so that naming one costs nothing.
_BUILDERS: dict[str, Build] = {"random": _random, "tpe": _tpe}


def names() -> tuple[str, ...]:
    """The optimizers' names, sorted."""
    return tuple(sorted(_BUILDERS))


def check_name(name: str) -> None:
    """Raise UnknownName unless `name` is an optimizer; loads nothing."""
    if name not in _BUILDERS:
        raise UnknownName("optimizer", name, _BUILDERS)


def optimizer(
    name: str, space: KnobSpace, objective: Objective, seed: int, clients: int = 1
) -> Optimizer:
    """A new optimizer whose asks fit the server's memory with `clients` connections.

    Raises:
        UnknownName: there is no optimizer of this name.
    """
    check_name(name)
    return _BUILDERS[name](space, objective, seed, memory_projection(space, clients))
