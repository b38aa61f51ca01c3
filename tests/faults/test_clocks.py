"""The wall clock may jump: nothing that is measured or waited for goes by it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("llmtune", "workloads", "optimizers", "datagen")
WALL_CLOCKS = {("time", "time"), ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today")}
ALLOWED = {
    "llmtune/tuning/store.py": "when a session was started, for people",
    "llmtune/tuning/restore_points.py": "when settings were kept, for people",
    "llmtune/tuning/rows.py": "when a trial ended, for people",
    "llmtune/postgres/live/container.py": "the engine's events go by its wall clock",
    "llmtune/postgres/docker/target.py": "the engine's events go by its wall clock",
    "llmtune/postgres/docker/readiness.py": "the engine's events go by its wall clock",
}


def wall_clocks(path: Path) -> Iterator[int]:
    """The lines on which a module asks for the time of day."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            call = node.func
            owner = call.value.attr if isinstance(call.value, ast.Attribute) else None
            name = call.value.id if isinstance(call.value, ast.Name) else owner
            if (name, call.attr) in WALL_CLOCKS:
                yield node.lineno


def test_no_duration_is_taken_from_the_wall_clock() -> None:
    files = sorted(path for one in PACKAGES for path in (ROOT / one).rglob("*.py"))
    asking = {str(path.relative_to(ROOT)) for path in files if any(wall_clocks(path))}
    assert asking <= set(ALLOWED), "use time.monotonic or time.perf_counter for durations"


@pytest.mark.parametrize("text", ["time.time()", "datetime.now(UTC)", "datetime.datetime.now()"])
def test_a_wall_clock_is_recognised(tmp_path: Path, text: str) -> None:
    module = tmp_path / "module.py"
    module.write_text(f"begin = {text}\n")
    assert list(wall_clocks(module)) == [1]
