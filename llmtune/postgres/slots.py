"""Folders for servers of our own, each held by one process at a time.

A slot's data folder outlives the process, so that loaded data is used again.
The lock is an open file's, so the kernel lets it go however the process ends;
what a killed process left behind outside its slot stands in the lock file.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from llmtune.errors import TargetError

MOST_SLOTS = 100


@dataclass(frozen=True, slots=True)
class Traces:
    """What a server has outside its slot.

    Attributes:
        sockets: the folder of its Unix socket.
        memory_group: the folder of its control group.
    """

    sockets: Path | None = None
    memory_group: Path | None = None


class Slot:
    """A numbered folder that this process holds until `release`.

    Attributes:
        number: from 0; the lowest that is free.
        folder: may not exist yet.
    """

    def __init__(self, lock: int, folder: Path, number: int) -> None:
        self._lock = lock
        self.folder = folder
        self.number = number

    def note(self, traces: Traces) -> None:
        """Remember these traces for whoever holds the slot next."""
        paths = {"sockets": traces.sockets, "memory_group": traces.memory_group}
        text = json.dumps({name: str(path) for name, path in paths.items() if path})
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, text.encode(), 0)

    def traces(self) -> Traces:
        """What the previous holder noted and did not clear away."""
        try:
            found = json.loads(os.pread(self._lock, 1 << 16, 0) or b"{}")
        except json.JSONDecodeError:  # killed while noting: before anything was made
            found = {}
        return Traces(**{name: Path(path) for name, path in found.items()})

    def release(self) -> None:
        """Let another process have the slot."""
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@contextmanager
def slots_settled(folder: Path) -> Iterator[None]:
    """Wait while another process takes or sweeps slots of this folder."""
    lock = os.open(folder / "slots.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def take_slot(folder: Path, prefix: str) -> Slot:
    """Take the lowest free slot named ``{prefix}-{number}``.

    Raises:
        TargetError: all are taken.
    """
    for number in range(MOST_SLOTS):
        slot = _try(folder / f"{prefix}-{number}", number, os.O_CREAT)
        if slot is not None:
            return slot
    raise TargetError(f"all {MOST_SLOTS} servers of {folder} are in use by running processes")


def idle_slots(folder: Path, pattern: str) -> Iterator[Slot]:
    """Every slot of this pattern that no process holds now; each is held in turn."""
    for lock in sorted(folder.glob(f"{pattern}-[0-9]*.lock")):
        path = lock.with_suffix("")
        slot = _try(path, int(path.name.rpartition("-")[2]))
        if slot is not None:
            with slot:
                yield slot


def _try(path: Path, number: int, flags: int = 0) -> Slot | None:
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return Slot(lock, path, number)
