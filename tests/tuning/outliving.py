"""A server that outlives its tuner, for tests: reached by its socket, restarted from outside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from llmtune.knobs.hardware import Hardware
from llmtune.postgres.account import server_account
from llmtune.postgres.binaries import find_binaries, runnable_binaries
from llmtune.postgres.cluster import Cluster
from llmtune.postgres.target import Connection


class Outliving:
    """A target that neither starts, stops nor clears its server on its own account."""

    version = 18
    hardware = Hardware(cores=2, memory=1 << 30)
    restart_seconds = 0.0

    def __init__(self, folder: Path, sockets: Path, cache: Path, *, can_restart: bool) -> None:
        account = server_account()
        binaries = runnable_binaries(find_binaries(), account, cache)
        self.cluster = Cluster(binaries, account, folder, sockets)
        self.can_restart = can_restart
        self.name = f"postgresql://postgres@/postgres?host={sockets}"

    def connect(
        self, database: str | None = None, settings: Mapping[str, str] | None = None
    ) -> Connection:
        return self.cluster.connect(database or "postgres", settings)

    def restart(self) -> None:
        self.cluster.stop()
        self.cluster.start()

    def recover(self) -> None:
        if self.cluster.postmaster() is None:
            self.cluster.start()
