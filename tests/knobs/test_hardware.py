"""Hardware detection from what the kernel shows of a process."""

from pathlib import Path

import pytest

from llmtune.errors import TargetError, UsageError
from llmtune.knobs.hardware import (
    SMALLEST_MEMORY,
    Hardware,
    detect_hardware,
    parse_server_memory,
)

MIB = 1 << 20
V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
V1 = (
    "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
    "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu,cpuacct 0 0\n"
)
NO_LIMIT_V1 = "9223372036854771712"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with 8 of its cores allowed and 16 GiB, no control groups."""
    write(tmp_path, "proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 5 kB\n")
    write(tmp_path, "proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-3,8-11\n")
    write(tmp_path, "proc/self/mounts", "proc /proc proc rw 0 0\n")
    write(tmp_path, "proc/self/cgroup", "")
    return tmp_path


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_without_limits_it_is_the_machine_and_the_affinity(machine: Path):
    assert detect_hardware(machine) == Hardware(8, 16 << 30)


def test_version_2_limits_of_enclosing_groups_count(machine: Path):
    write(machine, "proc/self/mounts", V2)
    write(machine, "proc/self/cgroup", "0::/box/job\n")
    write(machine, "sys/fs/cgroup/box/memory.max", f"{512 * MIB}\n")
    write(machine, "sys/fs/cgroup/box/job/memory.max", "max\n")
    write(machine, "sys/fs/cgroup/box/job/cpu.max", "250000 100000\n")
    assert detect_hardware(machine) == Hardware(3, 512 * MIB)


def test_version_1_limits_count(machine: Path):
    write(machine, "proc/self/mounts", V1)
    write(
        machine, "proc/self/cgroup", "4:memory:/job\n2:cpu,cpuacct:/job\n1:name=systemd:/\n0::/\n"
    )
    write(machine, "sys/fs/cgroup/memory/memory.limit_in_bytes", NO_LIMIT_V1)
    write(machine, "sys/fs/cgroup/memory/job/memory.limit_in_bytes", str(1024 * MIB))
    write(machine, "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "200000")
    write(machine, "sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000")
    assert detect_hardware(machine) == Hardware(2, 1024 * MIB)


def test_no_quota_is_no_limit(machine: Path):
    write(machine, "proc/self/mounts", V1)
    write(machine, "proc/self/cgroup", "2:cpu,cpuacct:/\n")
    write(machine, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1")
    write(machine, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000")
    assert detect_hardware(machine).cores == 8


def test_in_a_container_the_path_is_the_hosts_and_the_mount_point_is_the_group(machine: Path):
    write(machine, "proc/self/mounts", V1)
    write(machine, "proc/self/cgroup", "4:memory:/docker/0123abcd\n")
    write(machine, "sys/fs/cgroup/memory/memory.limit_in_bytes", str(256 * MIB))
    assert detect_hardware(machine).memory == 256 * MIB


def test_a_limit_below_one_core_is_one_core(machine: Path):
    write(machine, "proc/self/mounts", V2)
    write(machine, "proc/self/cgroup", "0::/\n")
    write(machine, "sys/fs/cgroup/cpu.max", "5000 100000\n")
    assert detect_hardware(machine).cores == 1


def test_a_limit_too_small_for_a_server_is_told(machine: Path):
    write(machine, "proc/self/mounts", V2)
    write(machine, "proc/self/cgroup", "0::/\n")
    write(machine, "sys/fs/cgroup/memory.max", str(48 * MIB))
    with pytest.raises(TargetError, match="leaves 48MiB of memory to the server"):
        detect_hardware(machine)


@pytest.mark.parametrize("text", ["32", "63MiB"])
def test_memory_without_its_unit_is_told(text: str):
    with pytest.raises(UsageError, match="write it with a unit, such as 32GB"):
        parse_server_memory(text)
    assert parse_server_memory("64MiB") == SMALLEST_MEMORY


def test_this_machine_can_be_read():
    hardware = detect_hardware()
    assert hardware.cores >= 1
    assert hardware.memory >= 64 * MIB


@pytest.mark.parametrize(("cores", "memory"), [(0, 1 << 30), (2, MIB)])
def test_impossible_hardware_is_refused(cores: int, memory: int):
    with pytest.raises(ValueError, match="must be at least"):
        Hardware(cores, memory)
