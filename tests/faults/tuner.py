"""The command line in a process of its own, forked from one that has loaded it already."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

PRELOADED = [
    "llmtune.cli.app",
    "llmtune.cli.outcome",
    "llmtune.cli.session_run",
    "llmtune.cli.planning",
    "llmtune.model.proposals",
    "matplotlib.pyplot",
    "optuna",
    "optimizers.registry",
    "plotly.graph_objects",
]
"""Nothing that opens connections or starts threads."""


@dataclass(frozen=True)
class Ended:
    """How a command ended; `code` is negative for a signal."""

    code: int
    stdout: str
    stderr: str


class Tuner:
    """One running command."""

    def __init__(self, folder: Path, arguments: Sequence[object]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self._said = [folder / "stdout", folder / "stderr"]
        words = [str(one) for one in arguments]
        self._process: ForkServerProcess = context.Process(
            target=command, args=(words, *map(str, self._said))
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def wait(self, patience_s: float = 60.0) -> Ended:
        self._process.join(patience_s)
        code = self._process.exitcode
        if code is None:
            self._process.kill()
            raise TimeoutError(self._said[1].read_text())
        return Ended(code, *(path.read_text() for path in self._said))


def set_clock_back(*_: object) -> None:
    """What the time of day is goes back by an hour, for this process."""
    real = time.time
    time.time = lambda: real() - 3600


def command(words: list[str], *said: str) -> None:
    """Runs in the child; SIGUSR1 sets its clock back."""
    signal.signal(signal.SIGUSR1, set_clock_back)
    # Whoever runs the tests in the background, or by nohup, may have these ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    for number, path in enumerate(said, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    from llmtune.cli.app import main

    sys.argv = ["llmtune", *words]
    main()
