"""Restarts the server of a data folder; with a file there, stops half way and does as it says.

Arguments: the data folder, the file. With `die` in it whoever asked for the restart is
killed, and the server stays down. With `wait` in it `down` is written there, and the
server is started once the file is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from llmtune.postgres.live.pg_ctl import PgCtlRestarter


def stop(data: Path) -> None:
    running = data / "postmaster.pid"
    os.kill(int(running.read_text().split()[0]), signal.SIGINT)
    while running.exists():
        time.sleep(0.02)


def main(data: Path, half_way: Path) -> None:
    way = PgCtlRestarter(data)
    asked = half_way.read_text() if half_way.exists() else ""
    if asked:
        stop(data)
    if asked == "die":
        half_way.unlink()
        os.kill(os.getppid(), signal.SIGKILL)
        return
    if asked == "wait":
        half_way.write_text("down")
        while half_way.exists():
            time.sleep(0.02)
    way.restart()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
