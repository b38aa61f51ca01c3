"""Several sessions on one server in turns, a trial each, so that drift hits all alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack

from llmtune.tuning.session import TuningSession

Stepping = Callable[[TuningSession], None]


def nothing(session: TuningSession) -> None:
    """Do nothing before a step."""


def explore_in_turns(sessions: Iterable[TuningSession], before: Stepping = nothing) -> None:
    """Search in all sessions, round by round, each until its own plan is used up.

    The sessions' order within a round is turned around from one round to the next: none
    always follows the same other one. Whatever ends this early leaves every session
    resumable; nothing that was measured is lost.

    Args:
        sessions: opened here one by one, if they are opened as they are iterated over:
            what ends that early leaves those before resumable too.
        before: called with a session before each of its trials.

    Raises:
        As `TuningSession.run`.
    """
    left: list[TuningSession] = []
    with ExitStack() as stack:
        for session in sessions:
            stack.enter_context(session.exploring())
            left.append(session)
        while left:
            left = [session for session in left if _stepped(session, before)]
            left.reverse()


def _stepped(session: TuningSession, before: Stepping) -> bool:
    before(session)
    return session.step()
