"""Optimizers by name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

from llmtune.errors import UnknownName, UsageError
from llmtune.knobs.space import KnobSpace
from optimizers.base import Optimizer
from optimizers.llamatune import LlamaTune
from optimizers.narrowed import Narrowed, Narrowing
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
        **plans: WhatIf | float,
    ) -> Optimizer:
        """A new optimizer whose asks `project` brings into what may be applied.

        Args:
            plans: for one that looks at plans `what_if`, and as `restart_s` the seconds that a
                restart takes, where it is not to guess them.
        """
        ...


@dataclass(frozen=True, slots=True)
class Backend:
    """Where an optimizer's class is.

    Attributes:
        extra: what must be installed for it beyond LLMTune's own dependencies.
        package: what cannot be imported where the extra is missing.
        plans: whether it looks at the plans of a workload's queries.
    """

    module: str
    name: str
    extra: str | None = None
    package: str | None = None
    plans: bool = False

    def check(self) -> None:
        """Raise UsageError where its extra is not installed; loads nothing."""
        if self.package is not None and find_spec(self.package) is None:
            raise UsageError(
                f"this optimizer needs the package {self.package}; "
                f"install it with: pip install 'llmtune[{self.extra}]'"
            )

    def load(self) -> Build:
        """Import the class; only now is the library behind it loaded.

        Raises:
            UsageError: its extra is not installed.
        """
        self.check()
        build: Build = getattr(import_module(f"optimizers.{self.module}"), self.name)
        return build


_BACKENDS = {
    "cmaes": Backend("cmaes", "CMAES"),
    "ddpg": Backend("ddpg", "DDPG"),
    "forest": Backend("forest", "Forest"),
    "gp": Backend("gp", "GP"),
    "hebo": Backend("hebo", "HEBO", "hebo", "leanhebo"),
    "plan": Backend("plan", "Plan", plans=True),
    "random": Backend("random_search", "RandomSearch"),
    "smac": Backend("smac", "SMAC", "smac", "smac"),
    "sobol": Backend("sobol", "SobolSearch"),
    "tpe": Backend("tpe", "TPE"),
    "turbo": Backend("turbo", "TuRBO", "turbo", "botorch"),
}

_LLAMATUNE, _ITS_OWN = "llamatune", "smac"
"""The layer's name, and what it wraps where none is named: the paper's choice."""


def names() -> tuple[str, ...]:
    """The optimizers' names, sorted; `llamatune+NAME` is another for most of them."""
    return tuple(sorted((*_BACKENDS, _LLAMATUNE)))


def check_name(name: str) -> None:
    """Make sure that the optimizer can be built; loads nothing.

    Raises:
        UnknownName: there is no optimizer of this name.
        UsageError: its extra is not installed.
    """
    _backend(name).check()


def _backend(name: str) -> Backend:
    """The optimizer's own, or that of what LlamaTune wraps in an optimizer `llamatune+NAME`."""
    layer, _, inner = name.partition("+")
    wrapped = inner if "+" in name else _ITS_OWN
    backend = _BACKENDS.get(wrapped if layer == _LLAMATUNE else name)
    if backend is None or (backend.plans and name not in _BACKENDS):
        raise UnknownName("optimizer", name, names())
    return backend


def _build(name: str) -> Build:
    build = _backend(name).load()
    return build if name in _BACKENDS else partial(LlamaTune, inner=build, name=name)


def looks_at_plans(name: str) -> bool:
    """Whether the optimizer must be given a `WhatIf`.

    Raises:
        UnknownName: there is no optimizer of this name.
    """
    return _backend(name).plans


def check_narrowing(name: str) -> None:
    """Make sure that the optimizer can go on with a few of the knobs.

    Raises:
        UnknownName: there is no optimizer of this name.
        UsageError: it cannot.
    """
    if looks_at_plans(name):
        raise UsageError(
            f"the optimizer {name} plans all knobs together and cannot keep a few, as "
            "--keep-knobs asks for: choose another optimizer, or leave that option out"
        )


def optimizer(  # noqa: PLR0913  each is another thing that a session may ask for
    name: str,
    space: KnobSpace,
    objective: Objective,
    seed: int,
    clients: int = 1,
    what_if: WhatIf | None = None,
    *,
    save_restarts: bool = False,
    narrowing: Narrowing | None = None,
) -> Optimizer:
    """A new optimizer whose asks fit the server's memory with `clients` connections.

    Args:
        what_if: for one that looks at plans; the others do without.
        save_restarts: its asks keep the restart knobs in force within a level, and one that
            looks at plans weighs what a restart takes; for a server of its own alone.
        narrowing: it goes on with the most important knobs after some trials.

    Raises:
        UnknownName: there is no optimizer of this name.
        UsageError: its extra is not installed, or it has no plans to look at.
    """
    plans: dict[str, WhatIf | float] = {}
    if looks_at_plans(name):
        if what_if is None:
            raise UsageError(
                f"the optimizer {name} looks at the plans of single queries, and here there are "
                "none: a transaction mix is measured as a whole, and recorded measurements "
                "have no server to ask; choose another, such as tpe"
            )
        plans["what_if"] = what_if
        if not save_restarts:
            plans["restart_s"] = 0.0
    if narrowing is not None:
        check_narrowing(name)
    backend = _build(name)

    def build(few: KnobSpace, part: Projection) -> Optimizer:
        return backend(few, objective, seed, part, **plans)

    project = memory_projection(space, clients)
    kept = KeptRestarts(space, project) if save_restarts else None
    allowed: Projection = kept or project
    made = build(space, allowed)
    if narrowing is not None:
        made = Narrowed(made, build, allowed, narrowing)
    return made if kept is None else RestartSaving(made, kept)
