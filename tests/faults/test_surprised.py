"""Somebody else works on the server, or on the way to it, while it is tuned."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from llmtune.errors import ConnectionFailed
from llmtune.knobs.hardware import Hardware
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.live.waiting import Patience
from llmtune.tuning.record import SessionStatus
from tests.faults.scene import Scene
from tests.faults.wire import Line, Point

END_OURS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'llmtune' AND pid <> pg_backend_pid()
"""
MINIMISING = Point("FROM notes", trials=4)
BETWEEN = Point("source IN ('default', 'override')", trials=4)


def number_of_server(scene: Scene) -> int:
    return int((scene.server.data_folder / "postmaster.pid").read_text().split()[0])


def kill_a_session(scene: Scene, _: Line) -> None:
    """As the kernel does for want of memory: all sessions end, the server recovers."""
    with scene.server.connect() as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%FROM notes%' LIMIT 1"
        row = connection.execute(query).fetchone()
        os.kill(row[0] if row else connection.info.backend_pid, signal.SIGKILL)


def kill_the_server(scene: Scene, _: Line) -> None:
    """And somebody, a service manager say, starts it again."""
    os.kill(number_of_server(scene), signal.SIGKILL)
    scene.server.restart()


def shut_down_at_once(scene: Scene, _: Line) -> None:
    os.kill(number_of_server(scene), signal.SIGQUIT)
    scene.server.restart()


def restart(scene: Scene, _: Line) -> None:
    scene.server.restart()


def end_sessions(scene: Scene, _: Line) -> None:
    scene.run(END_OURS)


def cut(_: Scene, line: Line) -> None:
    line.cut()


def alter_another_knob(scene: Scene, _: Line) -> None:
    scene.run("ALTER SYSTEM SET deadlock_timeout = '3s'", "SELECT pg_reload_conf()")


def take_all_slots(scene: Scene, _: Line) -> None:
    """Until a trial has failed for want of one."""
    taken, before = ExitStack(), scene.journalled()

    def give_back() -> None:
        while scene.journalled() == before:
            time.sleep(0.005)
        taken.close()

    try:
        while True:
            taken.enter_context(scene.server.connect())
    except ConnectionFailed:
        threading.Thread(target=give_back, daemon=True).start()


def lock_for_a_moment(scene: Scene, _: Line) -> None:
    holder = scene.server.connect()
    holder.execute("BEGIN")
    holder.execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE")
    threading.Timer(0.1, holder.close).start()


SURPRISES: dict[str, tuple[Point, Callable[[Scene, Line], None]]] = {
    "a session's process is killed": (MINIMISING, kill_a_session),
    "the server is killed and started again": (MINIMISING, kill_the_server),
    "the server is shut down at once and started again": (MINIMISING, shut_down_at_once),
    "the server is restarted": (BETWEEN, restart),
    "our sessions are ended": (MINIMISING, end_sessions),
    "the connection is cut": (MINIMISING, cut),
    "all connections are taken until a trial fails": (BETWEEN, take_all_slots),
    "a table is locked for a moment": (MINIMISING, lock_for_a_moment),
    "another setting is changed": (BETWEEN, alter_another_knob),
}


@pytest.mark.parametrize("surprise", SURPRISES)
def test_goes_on(scene: Scene, surprise: str) -> None:
    point, act = SURPRISES[surprise]
    done = scene.meet(point, lambda line: act(scene, line))
    assert done.code == 0, done.stderr
    assert scene.status is SessionStatus.FINISHED
    if act is alter_another_knob:
        entries, settings = scene.before
        changed = [e.replace("'2s'", "'3s'") if "deadlock" in e else e for e in entries]
        scene.before = changed, {**settings, "deadlock_timeout": "3000"}
    scene.check_original()


def test_the_clock_is_set_back(scene: Scene) -> None:
    done = scene.meet(MINIMISING, scene.signal(signal.SIGUSR1))
    assert done.code == 0, done.stderr
    assert scene.status is SessionStatus.FINISHED
    result = json.loads((scene.out / "result.json").read_text())
    spent = [result["wall_s"], *(one["wall_s"] for one in result["trials"])]
    assert all(0 < seconds < 600 for seconds in spent)
    scene.check_original()


def test_somebody_else_sets_a_knob_of_ours(scene: Scene) -> None:
    def alter(_: Line) -> None:
        scene.run("ALTER SYSTEM SET checkpoint_timeout = '9min'", "SELECT pg_reload_conf()")

    done = scene.meet(Point("source IN ('default', 'override')", trials=8), alter)
    assert done.code == 1
    assert "somebody else set checkpoint_timeout to 9min" in done.stderr
    assert scene.status is SessionStatus.INTERRUPTED
    entries, settings = scene.before
    theirs = [e.replace("'7min'", "'9min'") for e in entries]
    scene.before = sorted(theirs), {**settings, "checkpoint_timeout": "540"}
    scene.check_original()


def test_a_lock_that_stays_interrupts_the_decision_which_can_be_resumed(scene: Scene) -> None:
    with ExitStack() as held:

        def lock(_: Line) -> None:
            holder = held.enter_context(scene.server.connect())
            holder.execute("BEGIN")
            holder.execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE")

        done = scene.meet(Point("FROM notes", trials=7), lock, "--query-timeout", 1)
    assert done.code == 1
    assert "final runs" in done.stderr
    scene.check_original()
    scene.check_resumes()


def test_rights_are_taken_away(scene: Scene) -> None:
    scene.least_rights()

    def revoke(_: Line) -> None:
        scene.run(f"REVOKE ALTER SYSTEM ON PARAMETER checkpoint_timeout FROM {scene.user}")

    done = scene.meet(Point("source IN ('default', 'override')", trials=9), revoke)
    assert done.code == 1
    assert "the server refuses to have its settings put back: permission denied" in done.stderr
    assert f"llmtune restore {scene.session}" in done.stderr
    assert scene.due == [scene.session]
    scene.run(f"GRANT ALTER SYSTEM ON PARAMETER checkpoint_timeout TO {scene.user}")
    assert scene.stored("restore").code == 0
    scene.check_original()
    scene.check_resumes()


def test_a_server_that_stays_away_is_waited_for_once(scene: Scene) -> None:
    target = DsnTarget(scene.address, Hardware(2, 1 << 30), patience=Patience(recovery_s=1.0))

    def lose_it() -> None:
        with target:
            target.note_entries({"checkpoint_timeout": ("7min", "9min")})
            os.kill(number_of_server(scene), signal.SIGQUIT)
            target.recover()

    with pytest.raises(ConnectionFailed) as failure:
        lose_it()
    assert "could not be put back" in "".join(failure.value.__notes__)
    scene.server.restart()
    target.recover()
    scene.check_original()
