"""Bringing a proposed configuration back into what the server's memory allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.memory import repair
from llmtune.knobs.space import KnobSpace

Projection: TypeAlias = Callable[[Configuration], Configuration]
"""Maps any valid configuration to one that may be applied; idempotent."""


def unchanged(configuration: Configuration) -> Configuration:
    """The projection that allows everything."""
    return configuration


def memory_projection(space: KnobSpace, clients: int) -> Projection:
    """Shrinks the memory knobs until `clients` connections fit the server's memory.

    Without it most points of a wide space would only come back as REJECTED, and
    an optimizer would spend its trials on learning the guard.
    """

    def project(configuration: Configuration) -> Configuration:
        return repair(configuration, space, clients)

    return project
