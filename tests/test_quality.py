"""The source itself: lint, format, strict types, layers and lazy imports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHECKS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
}
LAYERS = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo"]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository's root, with colours off."""
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("check", CHECKS)
def test_tool_finds_nothing(check: str) -> None:
    done = run([sys.executable, "-m", *CHECKS[check]])
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_only_point_down_the_layers() -> None:
    done = run(LAYERS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
