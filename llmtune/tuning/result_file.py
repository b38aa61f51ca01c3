"""The file of a result, and the folder that it lies in."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from llmtune.errors import LLMTuneError, SessionError, UsageError
from llmtune.paths import is_folder
from llmtune.tuning.result import TuningResult

RESULT_FILE = "result.json"
PROBE_BYTES = 1 << 20
"""A session's files need about this much room."""


def ready_folder(folder: Path) -> Path:
    """Create the output folder and make sure that a result can be written there.

    Call it before measuring: an hour of trials must not end at a full disk.

    Raises:
        UsageError: it is no folder, cannot be written, or is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise UsageError(
            f"cannot write to the output folder {folder}: {error.strerror}; give another one"
        ) from error
    return folder


def write_result(folder: Path, result: TuningResult) -> Path:
    """Write `result.json` into `folder`: the whole file or none.

    Raises:
        LLMTuneError: it cannot be written; the session store still has every trial.
    """
    path = folder / RESULT_FILE
    partial = folder / f".{RESULT_FILE}.{os.getpid()}"
    try:
        partial.write_text(result.to_json(), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise LLMTuneError(f"cannot write {path}: {error.strerror}") from error
    return path


def read_result(path: Path) -> TuningResult:
    """Read a `result.json`, or the one in the folder `path`.

    Raises:
        UsageError: there is none.
        SessionError: it is damaged or of another schema.
    """
    path = path / RESULT_FILE if is_folder(path) else path
    try:
        return TuningResult.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SessionError(f"{path} is damaged: {error}") from error
