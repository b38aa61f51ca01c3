"""Putting one live server back: over a connection, or in its file where it does not come up."""

from __future__ import annotations

import typer

from llmtune.cli.targets import live_target
from llmtune.errors import ConnectionFailed, LoginRefused, ServerNotReady
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.live.waiting import connect_patiently
from llmtune.postgres.tuner_lock import TunerLock
from llmtune.tuning.requests import TargetRequest
from llmtune.tuning.restore import Restored, mend_file, restore
from llmtune.tuning.restore_points import RestorePoint, RestorePoints

START_PATIENCE_S = 60.0
GAP_PATIENCE_S = 2.0
"""Nothing answers between the end of a server and its start, as when its owner restarts it."""


def restore_live(
    points: RestorePoints, point: RestorePoint, request: TargetRequest, *, force: bool
) -> Restored:
    """Through the server; where it does not come up, through its file first.

    Args:
        force: also replace what somebody else set meanwhile on knobs that were tuned.

    Raises:
        ConnectionFailed: it does not answer, refuses the login, or cannot be brought up.
        TargetError: another tuner works on it, or it does not load what is put back.
    """
    try:
        _await_answer(live_target(request))
    except (LoginRefused, ServerNotReady):
        raise  # it runs: a restart would only disturb it
    except ConnectionFailed as error:
        _bring_up(request, point, error, force=force)
    with live_target(request) as target, TunerLock(target) as lock:
        target.keep(lock)
        target.tell(_tell_waiting)
        return restore(target, points, point, force=force)


def _await_answer(target: DsnTarget) -> None:
    """Connect once, and again for a moment where nothing answers.

    A refused login is not tried again: to some accounts that would do harm.

    Raises:
        ConnectionFailed: nothing answers, or the login is refused.
    """
    try:
        target.connect().close()
    except LoginRefused:
        raise
    except ConnectionFailed:
        connect_patiently(target.connect, GAP_PATIENCE_S, tell=_tell_waiting).close()


def _tell_waiting(text: str) -> None:
    typer.secho(f"llmtune: {text}", fg="yellow", err=True)


def _bring_up(
    request: TargetRequest, point: RestorePoint, error: ConnectionFailed, *, force: bool
) -> None:
    """Mend the file of a server that is down and start it, where the owner gave a way."""
    restarter = request.restart.restarter()
    file = None if restarter is None else restarter.settings_file
    if restarter is None or file is None:
        error.add_note(
            "If it does not start any more: --pgdata with its data folder mends its settings, "
            "and so do --allow-restart with --restart-pgdata or --restart-container"
        )
        raise error
    mend_file(file, point, force=force)
    restarter.restart()
    connect_patiently(live_target(request).connect, START_PATIENCE_S, tell=_tell_waiting).close()
