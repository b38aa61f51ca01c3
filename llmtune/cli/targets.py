"""The targets that a user can ask for, and opening them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
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
from llmtune.postgres.live.pg_ctl import PgCtlRestarter
from llmtune.postgres.live.restarter import Restarter, parse_command, unit_restarter
from llmtune.postgres.target import Target
from llmtune.secrets import redacted

TARGETS = ("embedded", "docker", "postgresql://...")


@dataclass(frozen=True, slots=True)
class RestartRequest:
    """How a live server may be restarted, if at all; at most one way.

    Attributes:
        allow: the user said that it may be.
        command: a command line, run on this machine without a shell.
        container, unit: the name of a Docker container, of a systemd unit.
        pgdata: the server's data folder on this machine.
    """

    allow: bool = False
    command: str | None = None
    container: str | None = None
    unit: str | None = None
    pgdata: Path | None = None

    def __post_init__(self) -> None:
        ways = [one.name for one in fields(self) if one.name != "allow" and self._has(one.name)]
        if len(ways) > 1:
            options = " and ".join(f"--restart-{way}" for way in ways)
            raise UsageError(f"give one way to restart the server, not {options}")
        if ways and not self.allow:
            raise UsageError(f"--restart-{ways[0]} goes with --allow-restart")
        if self.allow and not ways:
            raise UsageError(
                "--allow-restart needs a way: --restart-command, --restart-container, "
                "--restart-unit or --restart-pgdata"
            )

    def restarter(self) -> Restarter | None:
        """The way, checked as far as it can be without the server; None: no restarts.

        Raises:
            UsageError: it cannot be used as it is written.
            TargetError: there is no such container.
        """
        ways: dict[str, Callable[[], Restarter]] = {
            "command": lambda: parse_command(str(self.command)),
            "container": lambda: ContainerRestarter(str(self.container)),
            "unit": lambda: unit_restarter(str(self.unit)),
            "pgdata": lambda: PgCtlRestarter(Path(str(self.pgdata))),
        }
        return next((make() for name, make in ways.items() if self._has(name)), None)

    def _has(self, name: str) -> bool:
        return getattr(self, name) is not None


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """What the user asked to be tuned, not opened yet.

    Attributes:
        observe: other sessions' work is measured, so changes have to reach them.
        storage: what the server's data lie on, if the user said it.
    """

    target: str
    cores: int | None = None
    memory: str | None = None
    bindir: Path | None = None
    restart: RestartRequest = field(default_factory=RestartRequest)
    image: str | None = None
    observe: bool = False
    storage: Storage | None = None


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
    return DsnTarget(request.target, stated, restarter, everyone=request.observe)


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
