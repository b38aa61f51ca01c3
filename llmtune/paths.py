"""Paths that users write: whether there is a file or a folder, told without an error."""

from __future__ import annotations

import os.path
from pathlib import Path


def is_file(path: str | Path) -> bool:
    """Whether there is a file that we may look at.

    `Path.is_file` raises for what lies in a closed folder, and for what is too long for a
    name, as SQL in the place of a file's name is. Whoever then opens the path says why not.
    """
    return os.path.isfile(path)  # noqa: PTH113  the difference is the point


def is_folder(path: str | Path) -> bool:
    """The same for a folder."""
    return os.path.isdir(path)  # noqa: PTH112  the difference is the point
