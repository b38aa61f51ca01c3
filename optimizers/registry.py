"""Optimizers by name."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from llmtune.errors import UnknownName, UsageError
from llmtune.knobs.space import KnobSpace
from optimizers.base import Optimizer
from optimizers.projection import Projection, memory_projection
from optimizers.restart_saving import KeptRestarts, RestartSaving
from optimizers.what_if import WhatIf
from workloads.objective import Objective


class Build(Protocol):
    """An optimizer's class."""

    def __call__(
        self,
        space: KnobSpace,
        objective: Objective,
        seed: int,
        project: Projection,
        **plans: WhatIf,
    ) -> Optimizer:
        """A new optimizer whose asks `project` brings into what may be applied.

        Args:
            plans: `what_if`, for one that looks at plans.
        """
        ...


@dataclass(frozen=True, slots=True)
class Backend:
    """Where an optimizer's class is.

    Attributes:
        extra: what must be installed for it beyond LLMTune's own dependencies.
        plans: whether it looks at the plans of a workload's queries.
    """

    module: str
    name: str
    extra: str | None = None
    plans: bool = False

    def load(self) -> Build:
        """Import the class; only now is the library behind it loaded.

        Raises:
            UsageError: its extra is not installed.
        """
        try:
            build: Build = getattr(import_module(f"optimizers.{self.module}"), self.name)
        except ModuleNotFoundError as error:
            if self.extra is None:
                raise
            raise UsageError(
                f"this optimizer needs the package {error.name}; "
                f"install it with: pip install 'llmtune[{self.extra}]'"
            ) from error
        return build


_BACKENDS = {
    "cmaes": Backend("cmaes", "CMAES"),
    "gp": Backend("gp", "GP"),
    "hebo": Backend("hebo", "HEBO", "hebo"),
    "plan": Backend("plan", "Plan", plans=True),
    "random": Backend("random_search", "RandomSearch"),
    "smac": Backend("smac", "SMAC", "smac"),
    "sobol": Backend("sobol", "SobolSearch"),
    "tpe": Backend("tpe", "TPE"),
    "turbo": Backend("turbo", "TuRBO", "turbo"),
}


def names() -> tuple[str, ...]:
    """The optimizers' names, sorted."""
    return tuple(sorted(_BACKENDS))


def check_name(name: str) -> None:
    """Raise UnknownName unless `name` is an optimizer; loads nothing."""
    if name not in _BACKENDS:
        raise UnknownName("optimizer", name, _BACKENDS)


def looks_at_plans(name: str) -> bool:
    """Whether the optimizer must be given a `WhatIf`.

    Raises:
        UnknownName: there is no optimizer of this name.
    """
    check_name(name)
    return _BACKENDS[name].plans


def optimizer(
    name: str,
    space: KnobSpace,
    objective: Objective,
    seed: int,
    clients: int = 1,
    what_if: WhatIf | None = None,
    *,
    save_restarts: bool = False,
) -> Optimizer:
    """A new optimizer whose asks fit the server's memory with `clients` connections.

    Args:
        what_if: for one that looks at plans; the others do without.
        save_restarts: its asks keep the restart knobs in force within a level.

    Raises:
        UnknownName: there is no optimizer of this name.
        UsageError: its extra is not installed, or it has no plans to look at.
    """
    plans = {}
    if looks_at_plans(name):
        if what_if is None:
            raise UsageError(
                f"the optimizer {name} looks at the plans of single queries, and here there are "
                "none: a transaction mix is measured as a whole, and recorded measurements "
                "have no server to ask; choose another, such as tpe"
            )
        plans["what_if"] = what_if
    build = _BACKENDS[name].load()
    project = memory_projection(space, clients)
    if not save_restarts:
        return build(space, objective, seed, project, **plans)
    kept = KeptRestarts(space, project)
    return RestartSaving(build(space, objective, seed, kept, **plans), kept)
