"""Restarting the container that a server runs in."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from llmtune.errors import ServerDidNotStart, TargetError, UsageError
from llmtune.knobs.hardware import Hardware, count_cores, hardware_within
from llmtune.postgres.docker.engine import (
    connect_engine,
    container_state,
    engine_errors,
    find_container,
    log_tail,
)
from llmtune.postgres.docker.files import ContainerFile, read_file, write_file
from llmtune.postgres.docker.readiness import loss_reason
from llmtune.postgres.live.present import AUTO_CONF

if TYPE_CHECKING:
    from docker.models.containers import Container

DATA_FOLDER = "/var/lib/postgresql/data"
"""Of the official image up to version 17, where its variable PGDATA says nothing."""

CLOCKS_AGREE_S = 5.0
"""How far the engine's and the server's clocks may differ."""

START_NOTED_WITHIN_S = 0.5
"""The engine notes a start once the process runs, which may have written; 2 ms were seen."""

QUOTA_PERIOD_US = 100_000
"""The kernel's, in which a container may use its quota, where none is given."""

FAST_SHUTDOWN = "SIGINT"
"""What makes a server end its sessions; the stop signal of some images lets it wait for them."""

STOP_PATIENCE_S = 3600
"""Seconds that the server has to shut down before its container kills it. It writes all of
its shared buffers then, and one that was killed replays its WAL, which takes longer."""


class ContainerSettings:
    """ALTER SYSTEM's file in a container, which may be stopped."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read(self) -> bytes:
        """See `AutoConfFile.read`."""
        with closing(connect_engine()) as engine:
            return _content(_file(find_container(engine, self._name), AUTO_CONF))

    def write(self, content: bytes) -> None:
        """See `AutoConfFile.write`; owner and rights stay as they are."""
        text = content.decode("utf-8", "surrogateescape")
        with closing(connect_engine()) as engine:
            container = find_container(engine, self._name)
            write_file(container, replace(_file(container, AUTO_CONF), text=text))

    def system(self) -> str:
        """See `AutoConfFile.system`."""
        with closing(connect_engine()) as engine:
            return _system(find_container(engine, self._name))


class ContainerRestarter:
    """Restarts one container by name; it need not be one that we made."""

    def __init__(self, name: str) -> None:
        """Look whether the container is there.

        Raises:
            TargetError: there is none, or no engine answers.
        """
        self._name = name
        self._explained = time.time()
        with closing(connect_engine()) as engine:
            find_container(engine, name)

    @property
    def description(self) -> str:
        """As one would type it."""
        return f"docker restart {self._name}"

    @property
    def settings_file(self) -> ContainerSettings:
        """In the container's data folder."""
        return ContainerSettings(self._name)

    @property
    def hardware(self) -> Hardware:
        """What the container may use: its limits, or else its engine's machine.

        Raises:
            TargetError: too little memory for a server.
        """
        with closing(connect_engine()) as engine:
            host = find_container(engine, self._name).attrs["HostConfig"]
            with engine_errors("ask the engine for its machine"):
                machine = engine.info()
        memory = int(host.get("Memory") or 0)
        return hardware_within(
            allowed_cores(host, int(machine["NCPU"])), memory or int(machine["MemTotal"])
        )

    def check(self, started: float, system: str) -> None:
        """See `Restarter.check`: the container must run since before, and hold that cluster."""
        with closing(connect_engine()) as engine:
            container = find_container(engine, self._name)
            if _port_changes(container):
                raise UsageError(
                    f"the container {self._name} gets another port when it restarts; publish "
                    "a fixed one, such as `--publish 127.0.0.1:5432:5432`"
                )
            state = container_state(container)
            since_before = state.running and state.started < started + CLOCKS_AGREE_S
            if not since_before or system not in ("", _system(container)):
                raise UsageError(
                    f"the server that is to be tuned does not run in the container {self._name}; "
                    "`docker ps` lists those that run"
                )

    def restart(self) -> None:
        """See `Restarter.restart`."""
        with closing(connect_engine()) as engine:
            container = find_container(engine, self._name)
            try:
                with engine_errors(f"restart the container {self._name}"):
                    if _stop_signal(container) != FAST_SHUTDOWN and container.status == "running":
                        container.kill(signal=FAST_SHUTDOWN)
                    container.restart(timeout=STOP_PATIENCE_S)
            except TargetError as error:
                raise ServerDidNotStart(str(error)) from error

    def explain_loss(self) -> str:
        """See `ExplainsLoss`: from the engine's events, the container's state and log."""
        with closing(connect_engine()) as engine:
            container = find_container(engine, self._name)
            since = max(self._explained, container_state(container).started)
            reason = loss_reason(container, since)
        self._explained = time.time()
        return reason

    def failed(self) -> str:
        """See `Restarter.failed`: the container ended, or ends and is started again and again."""
        with closing(connect_engine()) as engine:
            state = container_state(find_container(engine, self._name))
        return (
            "" if state.running and not state.restarts else state.end or "it ends again and again"
        )

    def log_tail(self) -> str:
        """See `Restarter.log_tail`: since the container's last start."""
        with closing(connect_engine()) as engine:
            container = find_container(engine, self._name)
            started = container_state(container).started
            return log_tail(container, max(started - START_NOTED_WITHIN_S, 1.0))


def allowed_cores(host: Mapping[str, Any], machine: int) -> int:
    """Cores that a container may use: the least of its limits and its engine's machine.

    Args:
        host: the container's `HostConfig`, as the engine's inspection gives it:
            https://docs.docker.com/reference/api/engine/
        machine: the machine's cores.
    """
    allowed = [float(machine)]
    if nano := int(host.get("NanoCpus") or 0):
        allowed.append(nano / 10**9)
    if (quota := int(host.get("CpuQuota") or 0)) > 0:
        allowed.append(quota / int(host.get("CpuPeriod") or QUOTA_PERIOD_US))
    if listed := host.get("CpusetCpus"):
        allowed.append(count_cores(listed))
    return math.ceil(min(allowed))


def _data_folder(container: Container) -> PurePosixPath:
    words = (word.partition("=") for word in container.attrs["Config"].get("Env") or ())
    variables = {name: value for name, _, value in words}
    return PurePosixPath(variables.get("PGDATA") or DATA_FOLDER)


def _stop_signal(container: Container) -> str:
    """What the engine sends it to stop it."""
    return str(container.attrs["Config"].get("StopSignal") or "SIGTERM")


def _port_changes(container: Container) -> bool:
    """Whether its ports are published, and the engine picks each anew at a start."""
    published = (container.attrs["HostConfig"].get("PortBindings") or {}).values()
    ports = [binding.get("HostPort") for bindings in published for binding in bindings or ()]
    return bool(ports) and all(port in ("", "0", None) for port in ports)


def _system(container: Container) -> str:
    """The system identifier of the cluster in the container; see `auto_conf.system_identifier`."""
    return str(int.from_bytes(_content(_file(container, "global/pg_control"))[:8], "little"))


def _file(container: Container, name: str) -> ContainerFile:
    path = _data_folder(container) / name
    file = read_file(container, path)
    if file is None:
        raise TargetError(f"there is no {path} in the container {container.name}")
    return file


def _content(file: ContainerFile) -> bytes:
    return file.text.encode("utf-8", "surrogateescape")
