"""What the server may use: cores and memory, container limits respected."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llmtune.errors import TargetError, UsageError
from llmtune.units import format_memory, parse_memory

SMALLEST_MEMORY = 64 << 20
"""Bytes that a server needs for anything to be tuned."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """Cores and bytes of memory that the *server* may use."""

    cores: int
    memory: int

    def __post_init__(self) -> None:
        if self.cores < 1:
            raise ValueError(f"cores must be at least 1, not {self.cores}")
        if self.memory < SMALLEST_MEMORY:
            raise ValueError(f"memory must be at least 64 MiB, not {self.memory} bytes")


def parse_server_memory(text: str) -> int:
    """Bytes that the user says the server may use.

    Raises:
        UsageError: it is no amount of memory, or too little, as where the unit was forgotten.
    """
    memory = parse_memory(text)
    if memory < SMALLEST_MEMORY:
        raise UsageError(
            f"the server's memory must be at least 64 MiB, not {format_memory(memory)}; "
            "write it with a unit, such as 32GB"
        )
    return memory


def hardware_within(cores: int, memory: int) -> Hardware:
    """What limits that were found leave to a server.

    Raises:
        TargetError: too little memory.
    """
    if memory < SMALLEST_MEMORY:
        raise TargetError(
            f"the limit of its container or control group leaves {format_memory(memory)} of "
            "memory to the server; it takes at least 64 MiB to tune one: raise the limit"
        )
    return Hardware(cores, memory)


def detect_hardware(root: Path = Path("/"), process: int | None = None) -> Hardware:
    """Cores and memory that a process may use.

    The least of what the machine has, the CPU affinity, and the limits of the
    process's cgroup and all that enclose it, version 1, 2 or both mounted.

    Args:
        root: where `proc` and `sys` lie.
        process: its number; None means this one.

    Raises:
        OSError: there is no `proc` file system below `root`, or no such process.
        TargetError: the limits leave too little memory for a server.
    """
    one = root / "proc" / ("self" if process is None else str(process))
    memory, cores = [_total_memory(root)], [float(_allowed_cores(one))]
    for folder in _cgroup_folders(root, one):
        memory += _memory_limits(folder)
        cores += _cpu_limits(folder)
    return hardware_within(max(1, math.ceil(min(cores))), min(memory))


def count_cores(ranges: str) -> int:
    """How many a list such as `0-3,8` names, as the kernel and container engines write it."""
    parts = [part.split("-") for part in ranges.split(",")]
    return sum(int(ends[-1]) - int(ends[0]) + 1 for ends in parts)


def _total_memory(root: Path) -> int:
    line = (root / "proc/meminfo").read_text().splitlines()[0]
    return int(line.split()[1]) << 10


def _allowed_cores(process: Path) -> int:
    """As `Cpus_allowed_list: 0-3,8` tells; cpusets narrow it too."""
    lines = (process / "status").read_text().splitlines()
    allowed = next(line for line in lines if line.startswith("Cpus_allowed_list:"))
    return count_cores(allowed.split()[1])


def _cgroup_folders(root: Path, process: Path) -> Iterator[Path]:
    """The process's cgroups and their ancestors, up to the mount points."""
    mounts = [line.split() for line in (root / "proc/self/mounts").read_text().splitlines()]
    for line in (process / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for _, mount, kind, options, *_ in mounts:
            if _is_mounted(controllers, kind, options):
                top = root / mount.lstrip("/")
                group = top / path.lstrip("/")
                # Inside a container the path may be the host's; then only the
                # mount point exists, and it is the container's own group.
                yield from (part for part in (group, *group.parents) if part.is_relative_to(top))


def _is_mounted(controllers: str, kind: str, options: str) -> bool:
    if not controllers:
        return kind == "cgroup2"
    return kind == "cgroup" and set(controllers.split(",")) <= set(options.split(","))


def _memory_limits(folder: Path) -> list[int]:
    """`memory.max` of version 2, `memory.limit_in_bytes` of version 1; "max" is no limit."""
    texts = _read(folder / "memory.max"), _read(folder / "memory.limit_in_bytes")
    return [int(text) for text in texts if text.isdigit()]


def _cpu_limits(folder: Path) -> list[float]:
    """Quota over period: `cpu.max` of version 2, `cpu.cfs_quota_us` of version 1."""
    first = (_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))
    pairs = [tuple(_read(folder / "cpu.max").split()), first]
    return [int(pair[0]) / int(pair[1]) for pair in pairs if pair and pair[0].isdigit()]


def _read(path: Path) -> str:
    return path.read_text().strip() if path.is_file() else ""
