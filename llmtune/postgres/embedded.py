"""The embedded target: a throw-away server of our own, kept in the user's cache."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from llmtune.errors import ServerDidNotStart, TargetError, UsageError
from llmtune.knobs.hardware import SMALLEST_MEMORY, Hardware, detect_hardware
from llmtune.postgres.account import Account, give, server_account
from llmtune.postgres.base_settings import base_settings
from llmtune.postgres.binaries import Binaries, find_binaries, runnable_binaries
from llmtune.postgres.cache import clusters_folder, default_cache
from llmtune.postgres.cluster import Cluster
from llmtune.postgres.limits import (
    MemoryGroup,
    choose_cores,
    create_memory_group,
    drop_cached_pages,
)
from llmtune.postgres.server_settings import has_altered
from llmtune.postgres.session import environment
from llmtune.postgres.slots import Slot, Traces, idle_slots, slots_settled, take_slot
from llmtune.postgres.target import Connection

SOCKETS_PREFIX = "llmtune-"


class EmbeddedTarget:
    """A server that exists only while the target is entered; its data stays cached.

    Each running process has a cluster of its own. On entering, whatever killed
    processes left behind is cleared away: servers, settings, control groups.
    """

    def __init__(
        self,
        binaries: Binaries | None = None,
        cores: int | None = None,
        memory: int | None = None,
        cache: Path | None = None,
        root: Path = Path("/"),
    ) -> None:
        """Check the request; nothing is started yet.

        Args:
            binaries: the server's programs; None means the embedded ones.
            cores: how many cores the server may use; None means all.
            memory: bytes it may use, file cache included; None means no limit.
            cache: the folder for data; None means the user's cache folder.
            root: where `proc` and `sys` lie.

        Raises:
            UsageError: more cores or memory than there are.
            TargetError: no server programs, or this is no Linux.
        """
        machine = _machine(root)
        if memory is not None and not SMALLEST_MEMORY <= memory <= machine.memory:
            raise UsageError(
                f"the server's memory must be from 64 MiB to {machine.memory >> 20} MiB "
                f"on this machine, not {memory} bytes"
            )
        if cores is not None:
            choose_cores(cores)
        self._binaries = find_binaries() if binaries is None else binaries
        self._hardware = Hardware(cores or machine.cores, memory or machine.memory)
        self._cores = cores
        self._memory = memory
        self._cache = default_cache() if cache is None else cache
        self._cluster: Cluster | None = None
        self._slot: Slot | None = None
        self._restart_seconds = 0.0
        self._kills = 0

    @property
    def name(self) -> str:
        """`embedded`."""
        return "embedded"

    @property
    def version(self) -> int:
        """The major version of the server's programs."""
        return self._binaries.major

    @property
    def hardware(self) -> Hardware:
        """The limits, or the machine's own cores and memory where there are none."""
        return self._hardware

    @property
    def can_restart(self) -> bool:
        """Always."""
        return True

    @property
    def restart_seconds(self) -> float:
        """See `Target.restart_seconds`."""
        return self._restart_seconds

    @property
    def data_folder(self) -> Path:
        """Where the data lies: what free space is asked of."""
        return self._running.data

    def __enter__(self) -> Self:
        """Take a free slot and start its server.

        Raises:
            TargetError: the cache cannot be used, or the limits cannot be set.
            ServerDidNotStart: it does not start on its base settings.
        """
        atexit.register(self.close)
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server, put its settings back and let go of its slot; again is harmless."""
        atexit.unregister(self.close)
        if self._slot is None:
            return
        try:
            if self._cluster is not None:
                _put_away(self._cluster)
            self._slot.note(Traces())
        finally:
            self._slot.release()
            self._slot = self._cluster = None

    def connect(
        self, database: str | None = None, settings: Mapping[str, str] | None = None
    ) -> Connection:
        """See `Target.connect`; the default database is `postgres`."""
        return self._running.connect(database or "postgres", settings)

    def libpq_environment(self, database: str) -> dict[str, str]:
        """See `Target.libpq_environment`."""
        return environment(self._running.address(database))

    def restart(self) -> None:
        """See `Target.restart`."""
        begin = time.monotonic()
        try:
            self._running.stop()
            self._running.start()
            self._wait_for_answer()
        finally:
            self._restart_seconds += time.monotonic() - begin

    def recover(self) -> None:
        """See `Target.recover`."""
        cluster = self._running
        runs = cluster.postmaster() is not None
        if runs and not has_altered(self.connect, cluster.has_system_settings):
            return
        cluster.stop()
        cluster.clear_system_settings()
        cluster.start()
        self._wait_for_answer()

    def explain_loss(self) -> str:
        """See `ExplainsLoss`: from the kills in its control group, where memory is limited."""
        group = self._running.memory_group
        kills = 0 if group is None else group.kills()
        before, self._kills = self._kills, kills
        limit = (self._memory or 0) >> 20
        return f"killed: out of memory (limit {limit} MiB)" if kills > before else ""

    @property
    def _running(self) -> Cluster:
        if self._cluster is None:
            raise TargetError("the embedded server is not running: use the target in `with`")
        return self._cluster

    def _open(self) -> None:
        account = server_account()
        folder = clusters_folder(self._cache, account)
        owner = account.uid if account else os.getuid()
        with slots_settled(folder):
            self._slot = take_slot(folder, f"pg{self.version}-u{owner}")
            _clear_traces(self._slot, self._binaries, account)
            for idle in idle_slots(folder, f"pg*-u{owner}"):
                _clear_traces(idle, self._binaries, account)
            binaries = runnable_binaries(self._binaries, account, self._cache)
        self._cluster = self._make_cluster(self._slot, binaries, account)
        self._cluster.create()
        self._cluster.stop()  # clears a pid file that came with a copied or restored cache
        self._cluster.configure(base_settings(self._cluster.sockets, self._hardware.memory))
        if self._memory is not None:
            drop_cached_pages(self._cluster.data)
        self._cluster.start()
        self._wait_for_answer()

    def _make_cluster(self, slot: Slot, binaries: Binaries, account: Account | None) -> Cluster:
        """The slot's cluster with its socket folder and limits, all of it noted first."""
        sockets = Path(tempfile.mkdtemp(prefix=SOCKETS_PREFIX))
        slot.note(Traces(sockets))
        give(account, sockets)
        group = None
        if self._memory is not None:
            group = create_memory_group(sockets.name, self._memory)
            slot.note(Traces(sockets, group.path))
            self._kills = 0
        cores = None if self._cores is None else choose_cores(self._cores, slot.number)
        return Cluster(binaries, account, slot.folder, sockets, group, cores)

    def _wait_for_answer(self, patience_s: float = 10.0) -> None:
        """A server that was ready may still go down at once, when its helpers crash."""
        deadline = time.monotonic() + patience_s
        while not self._running.answers():
            if time.monotonic() > deadline:
                raise ServerDidNotStart("the server does not answer", self._running.log_tail())
            time.sleep(0.05)


def _machine(root: Path) -> Hardware:
    """What there is to be shared: only Linux tells, and limits a process to less of it."""
    try:
        return detect_hardware(root)
    except OSError as error:
        raise TargetError(
            f"the embedded server needs Linux, whose /proc tells what it may use ({error}); "
            "name a server of yours by --target postgresql://..."
        ) from error


def _clear_traces(slot: Slot, binaries: Binaries, account: Account | None) -> None:
    """Stop and remove what the slot's previous holder left behind when it was killed."""
    traces = slot.traces()
    if traces.sockets is None:
        return
    group = MemoryGroup(traces.memory_group) if traces.memory_group else None
    _put_away(Cluster(binaries, account, slot.folder, traces.sockets, group))
    slot.note(Traces())


def _put_away(cluster: Cluster) -> None:
    """Stop the server; leave its data without our settings, and nothing else."""
    cluster.stop()
    if cluster.data.exists():
        cluster.clear_system_settings()
    if cluster.memory_group is not None:
        cluster.memory_group.remove()
    shutil.rmtree(cluster.sockets, ignore_errors=True)
