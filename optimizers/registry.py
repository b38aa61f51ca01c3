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
from workloads.objective import Objective


class Build(Protocol):
    """An optimizer's class."""

    def __call__(
        self, space: KnobSpace, objective: Objective, seed: int, project: Projection
    ) -> Optimizer:
        """A new optimizer whose asks `project` brings into what may be applied."""
        ...


@dataclass(frozen=True, slots=True)
class Backend:
    """Where an optimizer's class is.

    Attributes:
        extra: what must be installed for it beyond LLMTune's own dependencies.
    """

    module: str
    name: str
    extra: str | None = None

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


def optimizer(
    name: str,
    space: KnobSpace,
    objective: Objective,
    seed: int,
    clients: int = 1,
    *,
    save_restarts: bool = False,
) -> Optimizer:
    """A new optimizer whose asks fit the server's memory with `clients` connections.

    Args:
        save_restarts: its asks keep the restart knobs in force within a level.

    Raises:
        UnknownName: there is no optimizer of this name.
        UsageError: its extra is not installed.
    """
    check_name(name)
    build = _BACKENDS[name].load()
    project = memory_projection(space, clients)
    if not save_restarts:
        return build(space, objective, seed, project)
    kept = KeptRestarts(space, project)
    return RestartSaving(build(space, objective, seed, kept), kept)
