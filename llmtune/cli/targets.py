"""The targets that a user can ask for, and opening them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from llmtune.errors import UnknownName, UsageError
from llmtune.knobs.hardware import parse_server_memory
from llmtune.knobs.storage import Storage, detect_storage
from llmtune.postgres.binaries import find_binaries
from llmtune.postgres.databases import LocalData
from llmtune.postgres.docker.image import DEFAULT_IMAGE
from llmtune.postgres.docker.target import DockerTarget
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.live.address import is_address
from llmtune.postgres.live.container import ContainerRestarter
from llmtune.postgres.live.machine import Stated
from llmtune.postgres.target import Target
from llmtune.secrets import redacted
from llmtune.tuning.requests import TargetRequest

TARGETS = ("embedded", "docker", "postgresql://...")


def open_target(request: TargetRequest) -> AbstractContextManager[Target]:
    """The target of a request; entering it connects or starts the server.

    Raises:
        UnknownName: neither `embedded` nor `docker` nor an address.
        UsageError: more cores or memory than there are, less than a server needs, or options
            that do not go together.
    """
    if request.image is not None and request.target != "docker":
        raise UsageError("--image goes with the docker target: --target docker")
    if is_address(request.target):
        return live_target(request)
    if request.restart.allow:
        raise UsageError("--allow-restart goes with a server's address; others restart anyway")
    memory = None if request.memory is None else parse_server_memory(request.memory)
    if request.target == "docker":
        if request.bindir is not None:
            raise UsageError("--bindir goes with the embedded target; a container has --image")
        return DockerTarget(request.image or DEFAULT_IMAGE, request.cores, memory)
    if request.target == "embedded":
        binaries = None if request.bindir is None else find_binaries(request.bindir)
        return EmbeddedTarget(binaries=binaries, cores=request.cores, memory=memory)
    raise UnknownName("target", redacted(request.target), TARGETS)


def live_target(request: TargetRequest) -> DsnTarget:
    """The target behind an address, not connected to yet.

    Raises:
        UsageError: the address cannot be read, the memory is less than a server needs, or options
            do not go with it.
        TargetError: the container to restart is not there.
    """
    if request.bindir is not None:
        raise UsageError("--bindir goes with the embedded target, not with an address")
    memory = None if request.memory is None else parse_server_memory(request.memory)
    restarter = request.restart.restarter()
    stated = Stated(request.cores, memory)
    if isinstance(restarter, ContainerRestarter):
        limits = restarter.hardware
        stated = Stated(request.cores or limits.cores, memory or limits.memory)
    return DsnTarget(request.target, stated, restarter, changes_for=request.changes_for)


def storage_of(request: TargetRequest, target: Target, root: Path = Path("/")) -> Storage | None:
    """What the opened target's data lie on: as the user says, or as their disk here tells.

    None: it is not said, and the disk is elsewhere, closed to us or does not tell.

    Args:
        root: where `sys` lies.
    """
    if request.storage is not None:
        return request.storage
    folder = target.data_folder if isinstance(target, LocalData) else None
    return None if folder is None else detect_storage(folder, root)
