"""One measurement at a time on this machine.

Two servers that are measured side by side share cores, memory bandwidth and disk,
and both numbers are wrong. Every trial therefore holds one advisory lock; waiting
for it is not part of the trial's time.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def lock_path() -> Path:
    """The lock file that all users of this machine share."""
    return Path(tempfile.gettempdir()) / "llmtune-machine.lock"


@contextmanager
def machine_lock(path: Path | None = None) -> Iterator[None]:
    """Hold the machine's measuring lock; wait for whoever holds it now.

    The kernel drops the lock when its holder dies, so nothing is ever stale.
    """
    path = path or lock_path()
    _make_shared(path)
    with path.open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def _make_shared(path: Path) -> None:
    """Make the file, if it is not there, so that every user can lock it.

    Reading is enough for that. Nobody opens it for writing: the kernel refuses
    that for another user's file in a folder such as /tmp.
    """
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDONLY)
        os.fchmod(descriptor, 0o644)
        os.close(descriptor)
