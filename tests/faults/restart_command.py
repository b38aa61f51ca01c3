"""Restarts the server of a data folder; kills whoever asked for it, if a file is there, half way.

Arguments: the data folder, the file, which is gone afterwards.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from llmtune.postgres.live.pg_ctl import PgCtlRestarter


def main(data: Path, deadly: Path) -> None:
    if not deadly.exists():
        PgCtlRestarter(data).restart()
        return
    running = data / "postmaster.pid"
    os.kill(int(running.read_text().split()[0]), signal.SIGINT)
    while running.exists():
        time.sleep(0.02)
    deadly.unlink()
    os.kill(os.getppid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
