"""Limits on what a server that we start may use: memory by cgroup, cores by affinity."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmtune.errors import TargetError, UsageError

ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """A control group whose processes together may use `limit` bytes of memory.

    File cache counts: pages that the group's processes read in are charged to
    it, which is what makes a limited server behave like one on a small machine.
    """

    path: Path

    @property
    def members(self) -> Path:
        """The file into which a process writes `0` to join the group."""
        return self.path / "cgroup.procs"

    def kills(self) -> int:
        """How many of the group's processes the kernel killed for want of memory."""
        for name in ("memory.events", "memory.oom_control"):
            file = self.path / name
            if file.exists():
                counts = dict(line.split(maxsplit=1) for line in file.read_text().splitlines())
                return int(counts.get("oom_kill", 0))
        return 0

    def remove(self, patience_s: float = 5.0) -> None:
        """Remove the group; its processes must have ended, or be about to.

        One that stays busy is left behind: it is empty and harms nobody.
        """
        deadline = time.monotonic() + patience_s
        while self.path.exists():
            try:
                _reclaim(self.path)
                self.path.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.02)


def create_memory_group(name: str, limit: int, root: Path = ROOT) -> MemoryGroup:
    """Create a control group, version 1 or 2, that limits memory to `limit` bytes.

    Swap does not extend the limit.

    Args:
        name: the group's folder name.
        limit: bytes.
        root: the root of the file system; another one in tests.

    Raises:
        TargetError: the system has no memory control group that we may create.
    """
    refusals: list[str] = []
    for parent in _parents(root):
        try:
            return _create(parent / name, limit)
        except OSError as error:
            refusals.append(f"{parent}: {error.strerror}")
    reasons = "; ".join(refusals) or "no control groups for memory here"
    raise TargetError(
        f"cannot limit the server's memory ({reasons}). It takes root, or a delegated "
        "control group (cgroup v2); leave the memory limit out to use the whole machine"
    )


def choose_cores(count: int, slot: int = 0) -> frozenset[int]:
    """The CPU numbers for a server with `count` cores.

    Servers in different slots get different cores as far as there are enough.

    Raises:
        UsageError: we may not use that many cores ourselves.
    """
    usable = sorted(os.sched_getaffinity(0))
    if not 1 <= count <= len(usable):
        raise UsageError(f"cores must be from 1 to {len(usable)} on this machine, not {count}")
    return frozenset(usable[(slot * count + i) % len(usable)] for i in range(count))


@contextmanager
def running_on(cores: frozenset[int] | None) -> Iterator[None]:
    """Start processes on these cores only; the calling thread goes back afterwards."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def drop_cached_pages(folder: Path) -> None:
    """Drop the file cache of all files below the folder.

    Pages cached before a limited server starts are not charged to its group and
    would be memory beyond its limit. Dirty pages are not dropped but written; so
    the first round starts all the writing, and the second has little to wait for.
    """
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    for path in files:
        _drop(path, wait=False)
    for path in files:
        _drop(path, wait=True)


def _drop(path: Path, *, wait: bool) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        if wait:
            os.fdatasync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def _parents(root: Path) -> Iterator[Path]:
    """Groups that ours may be created in, best first.

    In version 1 that is our own group, whose limits then hold as well. In
    version 2 a group with processes has no limited children, so it is the
    nearest one above that hands the memory controller down.
    """
    own = _own_groups(root)
    first = root / "sys/fs/cgroup/memory"
    if first.is_dir():
        inside = first / own.get("memory", "").lstrip("/")
        yield inside if inside.is_dir() else first
    unified = root / "sys/fs/cgroup"
    if not (unified / "cgroup.controllers").exists():
        return
    inside = unified / own.get("", "").lstrip("/")
    for group in (inside, *inside.parents):
        control = group / "cgroup.subtree_control"
        if control.exists() and "memory" in control.read_text().split():
            yield group
        if group == unified:
            return


def _own_groups(root: Path) -> dict[str, str]:
    """Our own group for each controller; that of version 2 has the name ``""``."""
    file = root / "proc/self/cgroup"
    if not file.exists():
        return {}
    groups: dict[str, str] = {}
    for line in file.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _create(path: Path, limit: int) -> MemoryGroup:
    path.mkdir()
    version_1 = (path.parent / "memory.limit_in_bytes").exists()
    names = (
        ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
        if version_1
        else ("memory.max", "memory.swap.max")
    )
    values = (limit, limit) if version_1 else (limit, 0)
    try:
        (path / names[0]).write_text(str(values[0]))
        if (path / names[1]).exists():
            (path / names[1]).write_text(str(values[1]))
    except OSError:
        path.rmdir()
        raise
    return MemoryGroup(path)


def _reclaim(path: Path) -> None:
    """Give back the cache charged to a version 1 group before it goes away."""
    file = path / "memory.force_empty"
    if file.exists():
        file.write_text("0")
