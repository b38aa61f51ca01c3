"""`llmtune restore`: put a server's original settings back, whatever ended the tuner."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmtune.cli import options

if TYPE_CHECKING:
    from llmtune.postgres.dsn import DsnTarget
    from llmtune.postgres.originals import ServerIdentity
    from llmtune.tuning.restore import Restored
    from llmtune.tuning.restore_points import RestorePoint, RestorePoints


def restore(
    session: Annotated[
        str | None,
        typer.Argument(
            show_default="all that are due",
            help="Put back what this session, or other run, changed; `llmtune sessions` names it.",
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
    from llmtune.cli.output import print_json, print_text
    from llmtune.cli.safety import restored_notice
    from llmtune.tuning.restore_points import RestorePoints
    from llmtune.tuning.store import SessionStore

    points = RestorePoints(SessionStore(store))
    done = [
        _restore(points, point, target, pgdata, force=force)
        for point in _wanted(points, session, target, pgdata, yes=yes)
    ]
    if json:
        print_json({"restored": [_facts(one) for one in done]})
    elif not done:
        print_text("Nothing to do: the original settings are in force.")
    for one in () if json else done:
        print_text(restored_notice(one))
    if not all(one.complete for one in done):
        raise typer.Exit(1)


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
        yes or confirmed(f"{session} was applied for good. Take it back?")
    ):
        raise SessionError(f"{session} was applied for good; give --yes to take it back")
    return [] if point.state is PointState.RESTORED else [point]


def _restore(
    points: RestorePoints,
    point: RestorePoint,
    address: str | None,
    pgdata: Path | None,
    *,
    force: bool,
) -> Restored:
    from llmtune.postgres.tuner_lock import TunerLock
    from llmtune.tuning.restore import restore as put_back
    from llmtune.tuning.restore import restore_files

    if pgdata is not None:
        return restore_files(pgdata, points, point, force=force)
    with _open(address or point.server.address) as target, TunerLock(target):
        done = put_back(target, points, point, force=force)
        target.settle()
    return done


def _open(address: str) -> DsnTarget:
    """The server that is to be put back; what it may use does not matter for that."""
    from llmtune.knobs.hardware import Hardware
    from llmtune.postgres.dsn import DsnTarget

    return DsnTarget(address, Hardware(cores=1, memory=1 << 30))


def _identity(address: str) -> ServerIdentity:
    from llmtune.cli.safety import identity

    with _open(address) as target:
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
