"""Whether a server runs on this machine, and then what it may use."""

from __future__ import annotations

import ipaddress
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from llmtune.knobs.hardware import Hardware, detect_hardware
from llmtune.postgres.target import Connection

STARTED = """
    SELECT pid, extract(epoch FROM backend_start)::float8
    FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""
CLOCKS_AGREE_S = 5.0
"""How far the server's and the kernel's times of a process's start may differ."""


class StatedHardware(Protocol):
    """What the user says of the server's hardware; a `Hardware` says both."""

    @property
    def cores(self) -> int | None:
        """Cores; None: not said."""
        ...

    @property
    def memory(self) -> int | None:
        """Bytes; None: not said."""
        ...


@dataclass(frozen=True, slots=True)
class Stated:
    """Cores and bytes of memory, each only if the user said it."""

    cores: int | None = None
    memory: int | None = None


def process_here(connection: Connection) -> psutil.Process | None:
    """The connection's server process, if it is one of this machine that we can see.

    An address alone does not tell: a tunnel or a published port of a container ends
    on the loopback interface too. So a process with that number and that start
    must be here. One in a container has another number, and is not taken.
    """
    if not _is_local(connection):
        return None
    row = connection.execute(STARTED).fetchone()
    try:
        process = psutil.Process(row[0] if row else -1)
        if "postgres" not in process.name():
            return None
        agrees = row is not None and abs(process.create_time() - row[1]) < CLOCKS_AGREE_S
    except (psutil.Error, ValueError):
        return None
    return process if agrees else None


def seen_hardware(
    process: psutil.Process | None, stated: StatedHardware, root: Path = Path("/")
) -> Hardware | None:
    """What the server may use: as stated, or else what its process on this machine may.

    None: it runs elsewhere, or this is no Linux, and not both cores and memory are stated.

    Args:
        root: where `proc` and `sys` lie.

    Raises:
        TargetError: the process's limits leave too little memory for a server.
    """
    if stated.cores is not None and stated.memory is not None:
        return Hardware(stated.cores, stated.memory)
    if process is None:
        return None
    try:
        seen = detect_hardware(root, process.pid)
    except OSError:
        return None
    return Hardware(stated.cores or seen.cores, stated.memory or seen.memory)


def data_folder(connection: Connection, process: psutil.Process | None) -> Path | None:
    """The server's data folder where it is on this machine and we may look into it."""
    if process is None:
        return None
    row = connection.execute(
        "SELECT setting FROM pg_settings WHERE name = 'data_directory'"
    ).fetchone()
    folder = Path(row[0]) if row and row[0] else None
    try:
        return folder if folder is not None and (folder / "PG_VERSION").is_file() else None
    except PermissionError:
        return None


def wal_room(folder: Path | None) -> int | None:
    """Bytes that the WAL in this data folder has on its disk: what it takes, and what is free.

    None: the folder is not on this machine, or closed to us.
    """
    if folder is None:
        return None
    wal = folder / "pg_wal"  # which may lead to another disk
    try:
        return shutil.disk_usage(wal).free + sum(_size(file) for file in wal.iterdir())
    except OSError:
        return None


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # the server removes files that it needs no more
        return 0


def _is_local(connection: Connection) -> bool:
    if connection.info.host.startswith(("/", "@")):
        return True
    try:
        server = ipaddress.ip_address(connection.info.hostaddr)
    except ValueError:
        return False
    own = {each.address for card in psutil.net_if_addrs().values() for each in card}
    return server.is_loopback or str(server) in own
