"""What a server of our own needs and nobody tunes, as postgresql.conf."""

from __future__ import annotations

import shutil
from pathlib import Path


def base_settings(sockets: Path, memory: int) -> str:
    """The lines for a server that listens in a folder and may use so many bytes."""
    lines = [
        "listen_addresses = ''",
        f"unix_socket_directories = '{sockets}'",
        "cluster_name = 'llmtune'",
        "timezone = 'UTC'",
        "log_timezone = 'UTC'",
        f"dynamic_shared_memory_type = {_shared_memory_type(memory)}",
    ]
    return "\n".join([*lines, ""])


def _shared_memory_type(memory: int, mount: Path = Path("/dev/shm")) -> str:  # noqa: S108
    """Containers often have 64 MB there, and then large parallel joins fail for want of room."""
    roomy = mount.is_dir() and shutil.disk_usage(mount).total >= memory // 4
    return "posix" if roomy else "sysv"
