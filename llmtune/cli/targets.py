"""The targets that a user can ask for, and opening them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from pathlib import Path

from llmtune.errors import UnknownName, UsageError
from llmtune.knobs.hardware import parse_server_memory
from llmtune.postgres.binaries import find_binaries
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
from llmtune.tuning.record import without_password

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
        given = (one.name for one in fields(self) if getattr(self, one.name) is not None)
        ways = [name for name in given if name != "allow"]
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
        if self.command is not None:
            return parse_command(self.command)
        if self.container is not None:
            return ContainerRestarter(self.container)
        if self.unit is not None:
            return unit_restarter(self.unit)
        return None if self.pgdata is None else PgCtlRestarter(self.pgdata)


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """What the user asked to be tuned, not opened yet.

    Attributes:
        observe: other sessions' work is measured, so changes have to reach them.
    """

    target: str
    cores: int | None = None
    memory: str | None = None
    bindir: Path | None = None
    restart: RestartRequest = field(default_factory=RestartRequest)
    image: str | None = None
    observe: bool = False


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
    raise UnknownName("target", without_password(request.target), TARGETS)


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
