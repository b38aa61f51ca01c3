"""Optimizers by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec

from llmtune.errors import UnknownName, UsageError
from llmtune.knobs.space import KnobSpace
from optimizers.base import Build, Optimizer
from optimizers.llamatune import LlamaTune
from optimizers.narrowed import Narrowed, Narrowing
from optimizers.projection import Projection, memory_projection
from optimizers.restart_saving import KeptRestarts, RestartSaving
from optimizers.what_if import WhatIf
from workloads.objective import Objective


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

    def load(self) -> Callable[..., Optimizer]:
        """Import the class; only now is the library behind it loaded.

        Returns:
            A `Build`, but for one that looks at plans: that one takes a `what_if` too.

        Raises:
            UsageError: its extra is not installed.
        """
        self.check()
        module = import_module(f"optimizers.{self.module}")
        found: Callable[..., Optimizer] = getattr(module, self.name)
        return found


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
        UsageError: its extra is not installed, or LlamaTune cannot wrap it.
    """
    _backend(name).check()


def _backend(name: str) -> Backend:
    """The optimizer's own, or that of what LlamaTune wraps in an optimizer `llamatune+NAME`."""
    layer, _, inner = name.partition("+")
    wrapped = inner if "+" in name else _ITS_OWN
    backend = _BACKENDS.get(wrapped if layer == _LLAMATUNE else name)
    if backend is None:
        raise UnknownName("optimizer", name, names())
    if backend.plans and name not in _BACKENDS:
        raise UsageError(
            f"{_LLAMATUNE} cannot wrap {inner}, which looks at the server's plans under its own "
            f"knobs, while {_LLAMATUNE} searches synthetic ones; choose {inner} alone, or "
            f"{_LLAMATUNE} over another optimizer"
        )
    return backend


def _build(name: str, what_if: WhatIf | None, *, save_restarts: bool) -> Build:
    backend = _backend(name)
    if not backend.plans:
        build: Build = backend.load()
        return build if name in _BACKENDS else partial(LlamaTune, inner=build, name=name)
    if what_if is None:
        raise UsageError(
            f"the optimizer {name} looks at the plans of single queries, and here there are "
            "none: a transaction mix is measured as a whole, and recorded measurements "
            "have no server to ask; choose another, such as tpe"
        )
    if save_restarts:
        return partial(backend.load(), what_if=what_if)
    return partial(backend.load(), what_if=what_if, restart_s=0.0)


def looks_at_plans(name: str) -> bool:
    """Whether the optimizer must be given a `WhatIf`.

    Raises:
        UnknownName: there is no optimizer of this name.
        UsageError: LlamaTune cannot wrap it.
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
    if narrowing is not None:
        check_narrowing(name)
    backend = _build(name, what_if, save_restarts=save_restarts)

    def build(few: KnobSpace, part: Projection) -> Optimizer:
        return backend(few, objective, seed, part)

    project = memory_projection(space, clients)
    kept = KeptRestarts(space, project) if save_restarts else None
    allowed: Projection = kept or project
    made = build(space, allowed)
    if narrowing is not None:
        made = Narrowed(made, build, allowed, narrowing)
    return made if kept is None else RestartSaving(made, kept)
