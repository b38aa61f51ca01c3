"""The targets that a user can ask for, and opening them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from llmtune.errors import UnknownName, UsageError
from llmtune.knobs.hardware import Hardware, detect_hardware
from llmtune.postgres.binaries import find_binaries
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.target import Target
from llmtune.tuning.record import without_password
from llmtune.units import parse_memory

TARGETS = ("embedded", "postgresql://...")


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """What the user asked to be tuned, not opened yet."""

    target: str
    cores: int | None = None
    memory: str | None = None
    bindir: Path | None = None


def open_target(request: TargetRequest) -> AbstractContextManager[Target]:
    """The target of a request; entering it connects or starts the server.

    Raises:
        UnknownName: neither `embedded` nor an address.
        UsageError: more cores or memory than there are, or options that do not go together.
    """
    memory = None if request.memory is None else parse_memory(request.memory)
    if request.target == "embedded":
        binaries = None if request.bindir is None else find_binaries(request.bindir)
        return EmbeddedTarget(binaries=binaries, cores=request.cores, memory=memory)
    if request.target.startswith(("postgresql://", "postgres://")):
        if request.bindir is not None:
            raise UsageError("--bindir goes with the embedded target, not with an address")
        here = detect_hardware()
        return DsnTarget(
            request.target, Hardware(request.cores or here.cores, memory or here.memory)
        )
    raise UnknownName("target", without_password(request.target), TARGETS)
