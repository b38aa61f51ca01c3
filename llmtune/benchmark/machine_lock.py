"""One measurement at a time on this machine.

Two servers that are measured side by side share cores, memory bandwidth and disk,
and both numbers are wrong. Every trial therefore holds one advisory lock; waiting
for it is not part of the trial's time.
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
    path.touch(mode=0o666, exist_ok=True)
    # Read access is enough for flock, and lets every user share the file.
    with path.open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)
