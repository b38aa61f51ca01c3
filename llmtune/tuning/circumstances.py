"""The circumstances of a session: whom it tells, and what it must know of its server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llmtune.tuning.events import OnEvent, ignore
from llmtune.tuning.guards import ServerFacts

RestartClock = Callable[[], float]
"""Seconds that the target has spent restarting so far, for the overhead's account."""


def no_restarts() -> float:
    """The clock of a target that does not restart, or does not say how long it takes."""
    return 0.0


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is no fact of a session and differs when it is resumed.

    Attributes:
        on_event: told what happens.
        restart_clock: the target's.
        facts: what the guards know of the server; None: it is a throw-away one, and as
            many sessions work as the plan says.
    """

    on_event: OnEvent = ignore
    restart_clock: RestartClock = no_restarts
    facts: ServerFacts | None = None


ALONE = Circumstances()
"""Of a session that nobody watches, on a server that it is told nothing of."""
