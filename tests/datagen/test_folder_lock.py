"""Two calls on one folder, and what becomes of the lock of one that died."""

import subprocess
import sys

import pytest

from datagen.folder_lock import folder_lock
from llmtune.errors import DatasetError, UsageError

HOLD = """
import sys
from pathlib import Path
from datagen.folder_lock import folder_lock
with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_one_dies(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match=f"at work in {tmp_path}: "), folder_lock(tmp_path):
            pytest.fail("both hold it")
        process.kill()
    with folder_lock(tmp_path):
        pass


def test_a_folder_is_let_go_whatever_happens_in_it(tmp_path):
    with pytest.raises(KeyError), folder_lock(tmp_path):
        raise KeyError
    with folder_lock(tmp_path), pytest.raises(UsageError), folder_lock(tmp_path):
        pytest.fail("both hold it")
    with folder_lock(tmp_path):
        pass


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DatasetError, match="gone: No such file"), folder_lock(tmp_path / "gone"):
        pytest.fail("nothing is held")
