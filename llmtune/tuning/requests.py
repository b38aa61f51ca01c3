"""What a user asks to be tuned: which server, how it may be restarted, which workload."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from llmtune.errors import UsageError
from llmtune.knobs.storage import Storage
from llmtune.postgres.live.container import ContainerRestarter
from llmtune.postgres.live.pg_ctl import PgCtlRestarter
from llmtune.postgres.live.reach import ChangesFor
from llmtune.postgres.live.restarter import Restarter, parse_command, unit_restarter
from workloads.options import WorkloadOptions


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
        changes_for: whose sessions have to see what is tried.
        storage: what the server's data lie on, if the user said it.
    """

    target: str
    cores: int | None = None
    memory: str | None = None
    bindir: Path | None = None
    restart: RestartRequest = field(default_factory=RestartRequest)
    image: str | None = None
    changes_for: ChangesFor = ChangesFor.OURS
    storage: Storage | None = None


@dataclass(frozen=True, slots=True)
class WorkloadRequest:
    """Which workload the user asked for."""

    name: str
    options: WorkloadOptions
