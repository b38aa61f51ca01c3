"""Memory groups of both cgroup versions in a tree of our own, and cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmtune.errors import TargetError, UsageError
from llmtune.postgres.limits import (
    MemoryGroup,
    choose_cores,
    create_memory_group,
    drop_cached_pages,
    running_on,
)

LIMIT = 512 << 20


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_version_1_limits_below_our_own_group(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "9:cpu,cpuacct:/\n4:memory:/box/1\n0::/\n",
            "sys/fs/cgroup/memory/box/1/memory.limit_in_bytes": "9223372036854771712",
        },
    )
    group = create_memory_group("ours", LIMIT, root)
    assert group.path == root / "sys/fs/cgroup/memory/box/1/ours"
    assert (group.path / "memory.limit_in_bytes").read_text() == str(LIMIT)


def test_version_1_in_a_container_that_does_not_see_its_own_group(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/abc\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "1",
        },
    )
    assert create_memory_group("ours", LIMIT, root).path == root / "sys/fs/cgroup/memory/ours"


def test_version_2_limits_below_the_nearest_group_that_delegates(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user/app/shell\n",
            "sys/fs/cgroup/cgroup.controllers": "cpu memory",
            "sys/fs/cgroup/cgroup.subtree_control": "cpu memory",
            "sys/fs/cgroup/user/cgroup.subtree_control": "memory pids",
            "sys/fs/cgroup/user/app/cgroup.subtree_control": "memory",
            "sys/fs/cgroup/user/app/shell/cgroup.subtree_control": "",
        },
    )
    group = create_memory_group("ours", LIMIT, root)
    assert group.path == root / "sys/fs/cgroup/user/app/ours"
    assert (group.path / "memory.max").read_text() == str(LIMIT)


@pytest.mark.parametrize(
    "files",
    [
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cgroup.controllers": "cpu"},
        {"proc/self/cgroup": "0::/\n"},
        {},
    ],
)
def test_says_what_it_takes_where_memory_cannot_be_limited(
    tmp_path: Path, files: dict[str, str]
) -> None:
    with pytest.raises(TargetError, match="leave the memory limit out"):
        create_memory_group("ours", LIMIT, tree(tmp_path, files))


def test_counts_processes_killed_for_want_of_memory(tmp_path: Path) -> None:
    first = tree(tmp_path / "1", {"memory.oom_control": "under_oom 0\noom_kill 3\n"})
    second = tree(tmp_path / "2", {"memory.events": "low 0\noom_kill 2\noom_group_kill 1\n"})
    (tmp_path / "3").mkdir()
    groups = [MemoryGroup(path) for path in (first, second, tmp_path / "3")]
    assert [group.kills() for group in groups] == [3, 2, 0]


def test_removing_a_group_is_done_once_and_busy_ones_are_left(tmp_path: Path) -> None:
    group = MemoryGroup(tmp_path / "ours")
    group.path.mkdir()
    group.remove()
    group.remove()
    assert not group.path.exists()
    busy = MemoryGroup(tree(tmp_path / "busy", {"member": ""}))
    busy.remove(patience_s=0.05)
    assert busy.path.exists()


def test_cores_are_chosen_from_ours_and_slots_are_spread() -> None:
    usable = os.sched_getaffinity(0)
    assert choose_cores(len(usable)) == usable
    assert set().union(*(choose_cores(1, slot) for slot in range(len(usable)))) == usable
    with pytest.raises(UsageError, match="cores must be from 1"):
        choose_cores(len(usable) + 1)


def test_our_own_affinity_comes_back() -> None:
    before = os.sched_getaffinity(0)
    with running_on(choose_cores(1)):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_dropping_cached_pages_keeps_contents(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    drop_cached_pages(tmp_path)
    assert (tmp_path / "sub" / "file").read_bytes() == b"x" * 100_000
