"""The tuner is asked to end, or ends in places where no statement passes."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from llmtune.tuning.record import SessionStatus
from tests.faults.scene import TRIALS, Scene
from tests.faults.tuner import Tuner
from tests.faults.wire import Line, Point

MEASURING = Point("FROM notes", trials=2)
RESTART = Path(__file__).with_name("restart_command.py")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_asked_to_end(scene: Scene, number: signal.Signals) -> None:
    done = scene.meet(MEASURING, scene.signal(number))
    assert done.code == 1
    assert "llmtune: interrupted" in done.stderr
    assert f"llmtune resume {scene.session} --store {scene.url}" in done.stderr
    assert scene.status is SessionStatus.INTERRUPTED
    assert len(scene.journal()) == 2
    scene.check_original()
    scene.check_resumes()


def test_asked_twice(scene: Scene) -> None:
    def twice(line: Line) -> None:
        for _ in range(2):
            scene.signal(signal.SIGTERM)(line)
            time.sleep(0.2)

    done = scene.meet(MEASURING, twice)
    assert done.code == 1
    assert "press Ctrl-C again to quit without restoring it" in done.stderr
    scene.check_original()


def test_killed_while_it_writes_the_result(scene: Scene) -> None:
    scene.out.mkdir()
    page = scene.out / "report.html"
    os.mkfifo(page)  # whoever writes here waits for a reader
    tuner = Tuner(scene.folder, scene.tune)
    while not (scene.out / "best.conf").exists():  # which comes before
        time.sleep(0.02)
    os.kill(tuner.pid, signal.SIGKILL)
    assert tuner.wait().code == -signal.SIGKILL
    assert scene.status is SessionStatus.FINISHED
    assert len(scene.journal()) == TRIALS
    scene.check_original()
    page.unlink()
    scene.check_resumes()
    assert len(scene.journal()) == TRIALS


def restarting(scene: Scene, half_way: Path) -> Tuner:
    """A tuner whose first guess takes a restart, in the middle of which the file is asked."""
    (scene.folder / "guess.json").write_text(json.dumps({"shared_buffers": "64MB"}))
    command = f"{sys.executable} {RESTART} {scene.server.data_folder} {half_way}"
    way = ("--allow-restart", "--restart-command", command)
    return Tuner(scene.folder, [*scene.tune, *way])


def test_asked_to_end_while_the_server_restarts(scene: Scene) -> None:
    half_way = scene.folder / "half_way"
    half_way.write_text("wait")
    tuner = restarting(scene, half_way)
    while half_way.read_text() != "down":
        time.sleep(0.02)
    os.kill(tuner.pid, signal.SIGTERM)
    time.sleep(0.5)  # in which it must not end the command that is to start the server again
    half_way.unlink()
    done = tuner.wait()
    assert done.code == 1
    assert "llmtune: interrupted" in done.stderr
    assert scene.status is SessionStatus.INTERRUPTED
    assert len(scene.journal()) == 2
    scene.check_original()


def test_killed_while_the_server_restarts(scene: Scene) -> None:
    half_way = scene.folder / "half_way"
    half_way.write_text("die")
    done = restarting(scene, half_way).wait()
    assert done.code == -signal.SIGKILL, done.stderr
    assert len(scene.journal()) == 2
    told = scene.stored("restore")
    assert told.code == 1
    assert "--pgdata" in told.stderr
    mended = scene.stored("restore", "--pgdata", scene.server.data_folder)
    assert mended.code == 0, mended.stderr
    scene.server.restart()
    scene.check_original()
    kept = scene.journal()
    assert scene.stored("resume", scene.session, "--yes").code == 0
    assert scene.journal()[: len(kept)] == kept
    scene.check_original()
