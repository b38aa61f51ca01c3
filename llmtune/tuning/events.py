"""What a session reports while it runs, for whoever shows its progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from llmtune.trial import Trial
from llmtune.tuning.record import Phase


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """The loop begins; `replayed` trials of an earlier run were taken over."""

    session_id: str
    replayed: int


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase begins.

    Attributes:
        trials: how many trials it may take at most; None when time alone limits it.
        seconds: the session's time budget, if it has one.
    """

    phase: Phase
    trials: int | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """A configuration is about to be applied and measured."""

    phase: Phase
    number: int
    source: str


@dataclass(frozen=True, slots=True)
class TrialFinished:
    """A trial is journalled.

    Attributes:
        incumbent: the best search trial so far, this one included; None before any.
        elapsed_s: wall seconds of the whole session so far, resumed parts included.
    """

    phase: Phase
    trial: Trial
    incumbent: Trial | None
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class SessionInterrupted:
    """The loop ends early; everything measured is journalled."""

    session_id: str


@dataclass(frozen=True, slots=True)
class SessionFinished:
    """The decision is made."""

    session_id: str


Event: TypeAlias = (
    SessionStarted
    | PhaseStarted
    | TrialStarted
    | TrialFinished
    | SessionInterrupted
    | SessionFinished
)
OnEvent: TypeAlias = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener that nobody asked for."""
