"""`llmtune restore`: put a server's original settings back, whatever ended the tuner."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmtune.cli import options
from llmtune.cli.grouped import grouped
from llmtune.cli.option_groups import RestartOptions

if TYPE_CHECKING:
    from llmtune.cli.targets import RestartRequest, TargetRequest
    from llmtune.errors import ConnectionFailed, LLMTuneError
    from llmtune.postgres.dsn import DsnTarget
    from llmtune.postgres.originals import ServerIdentity
    from llmtune.tuning.restore import Restored
    from llmtune.tuning.restore_points import RestorePoint, RestorePoints

START_PATIENCE_S = 60.0
GAP_PATIENCE_S = 2.0
"""Nothing answers between the end of a server and its start, as when its owner restarts it."""


@grouped
def restore(
    restart: RestartOptions,
    session: Annotated[
        str | None,
        typer.Argument(
            show_default="all that are due",
            help="Put back what this session, or other run, changed: its id, or its first letters.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            show_default="as it was tuned",
            help="The server's address, when it needs a password or has moved.",
        ),
    ] = None,
    pgdata: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The data folder of a server that is down: its postgresql.auto.conf is mended.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(help="Also replace what somebody else set meanwhile on knobs that we tuned."),
    ] = False,
    yes: options.Yes = False,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Put the settings back that a tuner changed; again is harmless.

    Only knobs that it touched, and only where nobody else has changed them since.
    """
    from llmtune.errors import LLMTuneError
    from llmtune.tuning.restore import restore_files
    from llmtune.tuning.restore_points import RestorePoints
    from llmtune.tuning.store import SessionStore

    way = restart.request()
    points = RestorePoints(SessionStore(store))
    done: list[Restored] = []
    failed: dict[str, LLMTuneError] = {}
    for point in _wanted(points, session, target, pgdata, yes=yes):
        request = _target(target or point.server.address, way)
        try:
            done.append(
                restore_files(pgdata, points, point, force=force)
                if pgdata is not None
                else _restore(points, point, request, force=force)
            )
        except LLMTuneError as error:
            failed[point.id] = error  # the next point may be another server's
    if not (done or failed or json):
        _tell_of_nothing(points, session, target, pgdata)
    _tell(done, failed, points.store_name, json=json)


def _wanted(
    points: RestorePoints,
    session: str | None,
    target: str | None,
    pgdata: Path | None,
    *,
    yes: bool,
) -> list[RestorePoint]:
    """The points to work on; one that is restored already needs nothing."""
    from llmtune.cli.safety import confirmed
    from llmtune.errors import SessionError
    from llmtune.postgres.auto_conf import system_identifier
    from llmtune.tuning.restore_points import PointState

    if session is None:
        system = None if pgdata is None else system_identifier(pgdata)
        return [
            point
            for point in points.due(None if target is None else _identity(target))
            if system in (None, point.server.system)
        ]
    point = points.point(session)
    if point.state is PointState.KEPT and not (
        yes or confirmed(f"{point.id} was applied for good. Take it back?")
    ):
        raise SessionError(f"{point.id} was applied for good; give --yes to take it back")
    return [] if point.state is PointState.RESTORED else [point]


def _tell(done: list[Restored], failed: dict[str, LLMTuneError], store: str, *, json: bool) -> None:
    """Print what was done; end with 1 where something is left to do.

    Raises:
        LLMTuneError: as a point failed; among several points, each that did is named.
    """
    from llmtune.cli.notices import restored_notice
    from llmtune.cli.output import print_json, print_text

    if json:
        reasons = {name: str(error) for name, error in failed.items()}
        print_json({"restored": [_facts(one) for one in done], "failed": reasons})
    for one in () if json else done:
        print_text(restored_notice(one, store))
    if failed:
        raise _joined(failed, alone=not done)
    if not all(one.complete for one in done):
        raise typer.Exit(1)


def _tell_of_nothing(
    points: RestorePoints, session: str | None, target: str | None, pgdata: Path | None
) -> None:
    """Why nothing was done, which says nothing of what is in force on any server."""
    from llmtune.cli.notices import restore_command
    from llmtune.cli.output import print_text
    from llmtune.tuning.record import without_password
    from llmtune.tuning.restore_points import PointState

    store = points.store_name
    if session is not None:
        print_text(f"Nothing to do: {session} is put back already, says the store {store}.")
        return
    where = "" if target is None else f" on {without_password(target)}"
    where = where if pgdata is None else f" in {pgdata}"
    print_text(f"Nothing to do: the store {store} has nothing to put back{where}.")
    for point in points.points():
        command = restore_command(point.id, store)
        if pgdata is not None and point.is_due and not point.server.system:
            print_text(
                f"{point.id} is due on {point.server.address}, of which it is not known whether "
                f"that is its folder; if it is: {command} --pgdata {pgdata}"
            )
        if point.state is PointState.KEPT:
            print_text(
                f"{point.id} was applied for good on {point.server.address}; "
                f"take it back with: {command}"
            )


def _joined(failed: dict[str, LLMTuneError], *, alone: bool) -> LLMTuneError:
    """The one failure of the one point as it is; else one error for all."""
    from llmtune.errors import SessionError

    if alone and len(failed) == 1:
        return next(iter(failed.values()))
    joined = SessionError(f"not put back: {', '.join(failed)}")
    for name, error in failed.items():
        joined.add_note(f"{name}: {error}")
        for note in getattr(error, "__notes__", ()):
            joined.add_note(note)
    return joined


def _restore(
    points: RestorePoints, point: RestorePoint, request: TargetRequest, *, force: bool
) -> Restored:
    """Through the server; where it does not come up, through its file first."""
    from llmtune.cli.targets import live_target
    from llmtune.errors import ConnectionFailed, LoginRefused, ServerNotReady
    from llmtune.postgres.tuner_lock import TunerLock
    from llmtune.tuning.restore import restore as put_back

    try:
        _await_answer(live_target(request))
    except (LoginRefused, ServerNotReady):
        raise  # it runs: a restart would only disturb it
    except ConnectionFailed as error:
        _bring_up(request, point, error, force=force)
    with live_target(request) as target, TunerLock(target) as lock:
        target.keep(lock)
        target.tell(_tell_waiting)
        return put_back(target, points, point, force=force)


def _await_answer(target: DsnTarget) -> None:
    """Connect once, and again for a moment where nothing answers.

    A refused login is not tried again: to some accounts that would do harm.

    Raises:
        ConnectionFailed: nothing answers, or the login is refused.
    """
    from llmtune.errors import ConnectionFailed, LoginRefused
    from llmtune.postgres.live.waiting import connect_patiently

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
    from llmtune.cli.targets import live_target
    from llmtune.postgres.live.waiting import connect_patiently
    from llmtune.tuning.restore import mend_file

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


def _target(address: str, restart: RestartRequest) -> TargetRequest:
    """The server that is to be put back; what it may use does not matter for that."""
    from llmtune.cli.targets import TargetRequest

    return TargetRequest(address, 1, "1GB", None, restart)


def _identity(address: str) -> ServerIdentity:
    from llmtune.cli.safety import identity
    from llmtune.cli.targets import RestartRequest, live_target

    with live_target(_target(address, RestartRequest())) as target:
        return identity(target)


def _facts(done: Restored) -> dict[str, Any]:
    return {
        "session": done.point_id,
        "complete": done.complete,
        "put_back": list(done.put_back),
        "foreign": dict(done.foreign),
        "waiting_for_restart": list(done.waiting),
        "restarted": done.restarted,
    }
