"""Waiting for a server in a container, and saying why it did not come up or went away."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from llmtune.errors import ServerDidNotStart
from llmtune.postgres.docker.engine import ContainerState, container_state, log_tail, oom_kills
from llmtune.postgres.server_log import fatal_reason

if TYPE_CHECKING:
    from docker.models.containers import Container

PATIENCE_S = 120.0
"""A first start makes the data folder; one after a crash replays WAL."""

OOM_REPORTED_S = 0.3
"""The engine hears of a kill only shortly after the client has lost its connection."""


def wait_until_ready(
    container: Container,
    answers: Callable[[], bool],
    restarts: int = 0,
    patience_s: float = PATIENCE_S,
) -> None:
    """Wait until `answers`, as long as the container does not end.

    The waits between two looks are a twentieth of the time waited so far, so that
    they add next to nothing to a start, short or long.

    Args:
        answers: whether the server lets us log in; must not raise.
        restarts: `ContainerState.restarts` before the server was started: with a
            restart policy, more of them mean that it does not come up.

    Raises:
        ServerDidNotStart: the container ended, ends again and again, or did not
            answer in time; its log's tail is attached.
    """
    begin = time.monotonic()
    while not answers():
        state = container_state(container)
        waited = time.monotonic() - begin
        if not state.running or state.restarts > restarts:
            raise _failure(container, state)
        if waited > patience_s:
            raise _failure(container, state, f"no answer within {patience_s:g} s")
        time.sleep(min(max(waited / 20, 0.01), 0.5))


def loss_reason(container: Container, since: float) -> str:
    """Why the server lost its sessions after `since` (the engine's clock); empty if unknown.

    Raises:
        TargetError: the engine does not answer.
    """
    state = container_state(container)
    if oom_kills(container, since, until=time.time() + OOM_REPORTED_S):
        return state.out_of_memory
    if state.end:
        return state.end
    ends = re.findall(r"\w[\w ]*\(PID \d+\) was terminated by .*", log_tail(container, since))
    return ends[-1] if ends else ""


def _failure(container: Container, state: ContainerState, delay: str = "") -> ServerDidNotStart:
    # One that was restarted since may not have said anything yet.
    log = log_tail(container, 0.0 if state.restarts else state.started)
    reason = fatal_reason(log) or delay or state.end or "it ended without a reason"
    if state.restarts:
        reason = f"{reason} (it ended and was restarted {state.restarts} times)"
    return ServerDidNotStart(f"the server did not start: {reason}", log)
