import fcntl
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llmtune.benchmark.machine_lock import lock_path, machine_lock

HOLD = """
import sys
from pathlib import Path
from llmtune.benchmark.machine_lock import machine_lock
with machine_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def is_free(path):
    with path.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextmanager
def held_elsewhere(path):
    command = [sys.executable, "-c", HOLD, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process


def test_one_holder_at_a_time(tmp_path):
    path = tmp_path / "lock"
    with machine_lock(path):
        assert not is_free(path)
    assert is_free(path)


def test_it_excludes_other_processes_until_they_let_go(tmp_path):
    path = tmp_path / "lock"
    with held_elsewhere(path) as process:
        assert not is_free(path)
        process.stdin.close()
        with machine_lock(path):  # waits for the other process
            assert not is_free(path)


def test_a_killed_holder_leaves_no_lock(tmp_path):
    path = tmp_path / "lock"
    with held_elsewhere(path) as process:
        process.kill()
        process.wait()
        with machine_lock(path):
            assert not is_free(path)


def test_an_error_inside_lets_go(tmp_path):
    with pytest.raises(KeyError), machine_lock(tmp_path / "lock"):
        raise KeyError
    assert is_free(tmp_path / "lock")


def test_every_user_can_share_the_file_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        with machine_lock(tmp_path / "lock"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o644


@pytest.fixture
def everybodys_folder() -> Iterator[Path]:
    """A sticky folder that other users can enter; pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="takes root to become two other users")
def test_another_user_s_file_in_a_sticky_folder_can_be_locked(everybodys_folder):
    folder = everybodys_folder
    path = folder / "lock"
    path.touch(0o644)
    os.chown(path, 12345, 12345)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setuid(23456)
            with machine_lock(path):
                status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_everybody_uses_one_path():
    assert lock_path() == lock_path()
    assert lock_path().name == "llmtune-machine.lock"
