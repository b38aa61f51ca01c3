"""Words on settings that are put back or wait for it, and the commands that go on from there."""

from __future__ import annotations

from llmtune.tuning.restore import Restored
from llmtune.tuning.restore_points import PointState, RestorePoint
from llmtune.tuning.store import store_option


def restore_command(point_id: str, store: str) -> str:
    """The command that puts back what a run changed, as the store of this name has it."""
    return f"llmtune restore {point_id}{store_option(store)}"


def resume_command(session_id: str, store: str) -> str:
    """The command that goes on with a session of the store of this name."""
    return f"llmtune resume {session_id}{store_option(store)}"


def due_notice(point: RestorePoint, store: str) -> str:
    """What to tell whoever works on a server that is not put back.

    Args:
        store: the name of the one that has the point.
    """
    what = f"{point.server.address} still has settings of the run {point.id}"
    if point.state is PointState.PARTIAL:
        names = ", ".join(point.waiting)
        what = f"{point.server.address} waits for a restart to have its own {names} again"
    return f"{what}; put them back with `{restore_command(point.id, store)}`"


def waiting_notice(done: Restored, store: str) -> str:
    """What to tell when only a restart makes the original settings hold again."""
    again = restore_command(done.point_id, store)
    return (
        f"{', '.join(done.waiting)}: the original values are in the file again and take effect "
        f"after a restart; restart the server, then run `{again}` once more to be sure"
    )


def restored_notice(done: Restored, store: str) -> str:
    """What restoring did, in words."""
    said = [f"{done.point_id}: {_count(done.put_back)} put back"]
    said += [
        f"{name} was set to {now or 'no value'} by somebody else and is left alone (--force "
        "replaces it)"
        for name, now in done.foreign
    ]
    said += [waiting_notice(done, store)] if done.waiting else []
    said += ["the server was restarted"] if done.restarted else []
    return "; ".join(said)


def _count(names: tuple[str, ...]) -> str:
    return (
        f"{len(names)} setting{'' if len(names) == 1 else 's'} ({', '.join(names)})"
        if names
        else "nothing"
    )
