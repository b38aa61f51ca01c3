"""The command line in-process, and as a process of its own where signals are sent to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from llmtune.cli.app import app
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.tuning.record import SessionStatus
from llmtune.tuning.result_file import read_result
from llmtune.tuning.store import SessionStore
from tests.model.conftest import tiny

__all__ = ["tiny"]

ROOT = Path(__file__).parents[2]
TINY = ("--scale", "0.01")
FEW = ("--sampled", "5", "--refined", "1", "--verified", "1", "--mixes", "12")


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        assert self.exit_code == 0, self.stderr
        return json.loads(self.stdout)

    @property
    def message(self) -> str:
        """What a person reads of it: no line breaks, no frames drawn around it."""
        assert "Traceback" not in self.stderr
        return " ".join(self.stderr.replace("│", " ").split())


Run = Callable[..., Ended]


@pytest.fixture(scope="session")
def environment(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Data and sessions in folders of the tests' own."""
    data = tmp_path_factory.mktemp("data")
    return {
        "LLMTUNE_CACHE": str(cache),
        "XDG_DATA_HOME": str(data),
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "120",
    }


@pytest.fixture(scope="session")
def run(environment: dict[str, str]) -> Run:
    """Call the command line in this process."""

    def call(*arguments: object, **variables: str) -> Ended:
        done = CliRunner(env={**environment, **variables}).invoke(app, list(map(str, arguments)))
        # Whatever is no exit is a defect: show where.
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ended(done.exit_code, done.stdout, done.stderr)

    return call


class Process:
    """The command line as a process, until a line of its progress appears."""

    def __init__(self, environment: dict[str, str], *arguments: object) -> None:
        # A process inherits it when Ctrl-C is ignored, as in a shell's background jobs.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self._process = subprocess.Popen(
            [str(Path(sys.executable).with_name("llmtune")), *map(str, arguments)],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        signal.signal(signal.SIGINT, before)
        self._seen = ""

    def wait_for(self, text: str) -> None:
        for line in self._process.stderr:
            self._seen += line
            if text in line:
                return
        raise AssertionError(f"{text!r} never came: {self._seen}")

    def send(self, *signals: signal.Signals) -> Ended:
        for number in signals:
            self._process.send_signal(number)
        stdout, stderr = self._process.communicate(timeout=60)
        return Ended(self._process.returncode, stdout, self._seen + stderr)


@pytest.fixture(scope="session")
def start(environment: dict[str, str]) -> Callable[..., Process]:
    return lambda *arguments: Process(environment, *arguments)


def _postmasters(cache: Path) -> set[str]:
    """The data folders below the cache on which a server runs."""
    folders = set()
    for one in psutil.process_iter(["name", "cmdline"]):
        arguments = one.info["cmdline"] or []
        if one.info["name"] == "postgres" and "-D" in arguments:
            folders.add(arguments[arguments.index("-D") + 1])
    return {folder for folder in folders if folder.startswith(str(cache))}


@pytest.fixture
def check_clean(cache: Path, embedded: EmbeddedTarget) -> Callable[[], None]:
    """Checks that no server but the tests' own runs, and none has settings of ours."""

    def check() -> None:
        assert _postmasters(cache) <= {str(embedded.data_folder)}
        files = list(cache.glob("clusters/*/data/postgresql.auto.conf"))
        assert files
        assert {file: _entries(file) for file in files if _entries(file)} == {}

    return check


def _entries(file: Path) -> list[str]:
    """The settings in the file; the server itself writes comments above them, and leaves these."""
    return [line for line in file.read_text().splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="session")
def generated(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data-generation folder."""
    out = tmp_path_factory.mktemp("generated")
    summary = run("datagen", *TINY, *FEW, "--out", out, "--json").json
    assert (summary["pairs"], summary["runs"]) == (12, len(list((out / "matrix").iterdir())))
    return out


@pytest.fixture(scope="session")
def adapter(run: Run, tiny, generated: Path, tmp_path_factory) -> Path:
    """An adapter of the tiny model, trained on the generated pairs."""
    out = tmp_path_factory.mktemp("trained") / "adapter"
    done = run("train", generated, "--base", tiny.path, "--out", out, "--epochs", 1, "--json")
    assert done.json["base_sha256"] == tiny.sha256
    return out


@pytest.fixture
def stored(tmp_path: Path) -> str:
    """The address of a session store."""
    return f"sqlite:///{tmp_path / 'sessions.db'}"


def stopped(stored: str, out: Path) -> str:
    """The id of the session whose result is in `out`, as if it had been stopped before."""
    session = read_result(out).session
    SessionStore(stored).mark(session, SessionStatus.INTERRUPTED)
    return session


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a warm-start file."""

    def write(text: str) -> Path:
        path = tmp_path / "start.json"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def full_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own with no room left."""
    folder = tmp_path / "full"
    folder.mkdir()
    mounted = os.geteuid() == 0 and _mount(folder, "size=16k")
    if not mounted:
        pytest.skip("mounting a small disk takes root and the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


def _mount(folder: Path, options: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
