"""What is wrong or in the way before a session starts."""

from __future__ import annotations

import json

import pytest

from llmtune.tuning.record import SessionStatus
from tests.faults.scene import Scene


@pytest.mark.parametrize(
    ("guess", "says"),
    [
        ({"work_mem": "16 parsecs"}, "work_mem"),
        ({"checkpoint_timeout": "15MB"}, "checkpoint_timeout"),
        ({"work_mem": "4kB"}, "work_mem"),
        ({"shared_buffers": "64MB"}, "is not ours to change"),
    ],
)
def test_refused_before_anything_is_touched(scene: Scene, guess: dict[str, str], says: str) -> None:
    (scene.folder / "guess.json").write_text(json.dumps(guess))
    done = scene.call(*scene.tune)
    assert done.code == 2
    assert says in done.stderr
    assert scene.journal() == ()
    scene.check_original()


def finish(scene: Scene) -> str:
    """A session to its end, and what it said."""
    done = scene.call(*scene.tune)
    assert done.code == 0, done.stderr
    assert scene.status is SessionStatus.FINISHED
    scene.check_original()
    return done.stderr


def test_a_roles_limits_and_values_do_not_disturb(scene: Scene) -> None:
    scene.run(
        "ALTER ROLE postgres SET statement_timeout = '20ms'",
        "ALTER ROLE postgres SET lock_timeout = '1ms'",
        "ALTER ROLE postgres SET transaction_timeout = '20ms'",
        "ALTER DATABASE postgres SET random_page_cost = 2",
    )
    try:
        scene.before = scene.entries(), scene.settings()
        said = finish(scene)
        assert "ALTER DATABASE \"postgres\" SET random_page_cost = '2'" in said
    finally:
        scene.run("ALTER ROLE postgres RESET ALL", "ALTER DATABASE postgres RESET ALL")


def test_a_pending_restart_of_somebody_stays_pending(scene: Scene) -> None:
    scene.run("ALTER SYSTEM SET shared_buffers = '64MB'", "SELECT pg_reload_conf()")
    entries, settings = scene.before
    scene.before = sorted([*entries, "shared_buffers = '64MB'"]), settings
    assert "shared_buffers" in finish(scene)


def test_what_could_not_be_left_applied_is_said_before_the_search(scene: Scene) -> None:
    scene.least_rights()
    done = scene.call(*scene.tune, "--apply", "--yes")
    assert done.code == 2
    assert "GRANT ALTER SYSTEM ON PARAMETER work_mem" in done.stderr
    assert scene.journal() == ()
    scene.check_original()


def test_a_role_without_rights_tunes_its_session(scene: Scene) -> None:
    scene.least_rights()
    for name in ("checkpoint_timeout", "wal_compression"):
        scene.run(f"REVOKE ALTER SYSTEM ON PARAMETER {name} FROM least")
    (scene.folder / "guess.json").write_text(json.dumps({"work_mem": "16MB"}))
    assert "GRANT ALTER SYSTEM" in finish(scene)
