"""Results on standard output, and folders that can take them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from llmtune.errors import UsageError


def print_json(result: Mapping[str, Any]) -> None:
    """The result alone, as one JSON object."""
    typer.echo(json.dumps(result, indent=2))


def writable(folder: Path) -> Path:
    """Make `folder` if it is missing, and be sure before any work that it takes files.

    Raises:
        UsageError: it cannot be made, is no folder, is read-only or its disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder) as probe:
            probe.write(b"0" * 4096)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise UsageError(
            f"cannot write to {folder}: {error.strerror}; name another folder with --out"
        ) from error
    return folder
