"""Files that only their owner may read: what was tuned, and where, is nobody else's."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from llmtune.errors import SessionError

FILE_MODE, FOLDER_MODE = 0o600, 0o700

log = logging.getLogger(__name__)


def make_private_folder(folder: Path) -> None:
    """Create a folder, and those above it that are missing, for their owner alone.

    Raises:
        SessionError: it cannot be created.
    """
    try:
        for one in (*reversed(folder.parents), folder):
            if not one.is_dir():
                one.mkdir(mode=FOLDER_MODE, exist_ok=True)
    except OSError as error:
        raise SessionError(f"cannot create the session store's folder {folder}: {error}") from error


def make_private_file(path: Path) -> None:
    """Create a file for its owner alone; take away wider rights of one that is there.

    A file of another owner stays as it is.

    Raises:
        SessionError: it cannot be created.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, FILE_MODE))
        found = path.stat()
        if stat.S_IMODE(found.st_mode) & 0o077 and found.st_uid == os.geteuid():
            path.chmod(FILE_MODE)
            log.warning("%s could be read by others; now only by you", path)
    except OSError as error:
        raise SessionError(f"cannot open the session store {path}: {error.strerror}") from error
