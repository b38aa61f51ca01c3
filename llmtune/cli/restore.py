"""`llmtune restore`: put a server's original settings back, whatever ended the tuner."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmtune.cli import options
from llmtune.cli.grouped import grouped
from llmtune.cli.option_groups import RestartOptions

if TYPE_CHECKING:
    from llmtune.errors import LLMTuneError
    from llmtune.postgres.originals import ServerIdentity
    from llmtune.tuning.requests import RestartRequest, TargetRequest
    from llmtune.tuning.restore import Restored
    from llmtune.tuning.restore_points import RestorePoint, RestorePoints


@grouped
def restore(
    restart: RestartOptions,
    session: Annotated[
        str | None,
        typer.Argument(
            show_default="all that are due",
            help="The session or other run whose changes are put back: its id, or its first "
            "letters.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            show_default="as it was tuned",
            help="The server's address, if it needs a password or has moved.",
        ),
    ] = None,
    pgdata: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The data folder of a server that does not start: its postgresql.auto.conf is "
            "mended.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            help="Also replace values that somebody else has since set on knobs that we tuned."
        ),
    ] = False,
    yes: options.Yes = False,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Restore the settings that LLMTune changed. Safe to run more than once.

    Only knobs that it touched are restored, and only where nobody else has changed them since.
    """
    from llmtune.cli.live_restore import restore_live
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
                else restore_live(points, point, request, force=force)
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
    from llmtune.secrets import redacted
    from llmtune.tuning.restore_points import PointState

    store = points.store_name
    if session is not None:
        print_text(f"Nothing to do: the store {store} says that {session} is already put back.")
        return
    where = "" if target is None else f" on {redacted(target)}"
    where = where if pgdata is None else f" in {pgdata}"
    print_text(f"Nothing to do: the store {store} has nothing to put back{where}.")
    for point in points.points():
        command = restore_command(point.id, store)
        if pgdata is not None and point.is_due and not point.server.system:
            print_text(
                f"{point.id} is due on {point.server.address}. Whether that is the folder's server "
                f"is not known; if it is: {command} --pgdata {pgdata}"
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


def _target(address: str, restart: RestartRequest) -> TargetRequest:
    """The server that is to be put back.

    What it may use does not matter for that, but cannot be left open: opening a server on
    another machine asks for it.
    """
    from llmtune.tuning.requests import TargetRequest

    return TargetRequest(address, cores=1, memory="1GB", restart=restart)


def _identity(address: str) -> ServerIdentity:
    from llmtune.cli.safety import identity
    from llmtune.cli.targets import live_target
    from llmtune.tuning.requests import RestartRequest

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
