"""One data generation at a time in one folder.

Two that grow one matrix would number their runs alike, and the later one would replace
what the earlier measured.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmtune.errors import DatasetError, UsageError

LOCK_FILE = "datagen.lock"
"""In the folder. It stays there: whoever removed it might remove another's."""


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold an existing folder; the kernel lets it go when its holder dies.

    Raises:
        UsageError: another process, or this one, holds it already.
        DatasetError: it cannot be locked.
    """
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise DatasetError(f"cannot write in {folder}: {error.strerror}") from error
    try:
        _hold(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _hold(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(
            f"another `llmtune datagen` is at work in {folder}: call it again once that has "
            "ended, or name another --out"
        ) from error
    except OSError as error:
        raise DatasetError(
            f"{folder} cannot be locked against a second `llmtune datagen` ({error.strerror}); "
            "name a folder on another disk"
        ) from error
