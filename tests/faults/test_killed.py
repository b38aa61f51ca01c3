"""The tuner is killed at each step of its work: nothing it measured is lost, nothing stays."""

from __future__ import annotations

import signal

import pytest

from tests.faults.scene import Scene
from tests.faults.wire import Point

STEPS = {
    "before the journal": Point("DISTINCT ON (name)", trials=2),
    "journalled": Point("ALTER SYSTEM", trials=2),
    "half altered": Point("ALTER SYSTEM", trials=2, answered=True),
    "altered, not reloaded": Point("pg_reload_conf", trials=2),
    "reloaded": Point("pg_reload_conf", trials=2, answered=True),
    "in the warm pass": Point("FROM notes", trials=2),
    "in the timed pass": Point("FROM notes", trials=2, nth=2),
    "between trials": Point("source IN ('default', 'override')", trials=3),
    "minimising": Point("FROM notes", trials=4),
    "confirming": Point("FROM notes", trials=8),
    "putting back": Point("ALTER SYSTEM", trials=17),
}


@pytest.mark.parametrize("step", STEPS)
def test_killed(scene: Scene, step: str) -> None:
    point = STEPS[step]
    done = scene.meet(point, scene.signal(signal.SIGKILL))
    assert done.code == -signal.SIGKILL
    assert len(scene.journal()) == point.trials
    touched = step != "before the journal"
    assert scene.due == ([scene.session] if touched else [])
    told = scene.stored("sessions").stderr
    assert (f"llmtune restore {scene.session}" in told) is touched
    restored = scene.stored("restore")
    assert restored.code == 0, restored.stderr
    scene.check_original()
    scene.check_resumes()
