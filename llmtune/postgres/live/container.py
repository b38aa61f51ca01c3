"""Restarting the container that a server runs in."""

from __future__ import annotations

import io
import tarfile
from contextlib import closing
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from llmtune.errors import ServerDidNotStart, TargetError, UsageError
from llmtune.knobs.hardware import Hardware
from llmtune.postgres.docker.engine import (
    connect_engine,
    container_state,
    engine_errors,
    find_container,
    log_tail,
)
from llmtune.postgres.live.present import AUTO_CONF

if TYPE_CHECKING:
    from docker.models.containers import Container

DATA_FOLDER = "/var/lib/postgresql/data"
"""Of the official image up to version 17, where its variable PGDATA says nothing."""

STOP_PATIENCE_S = 60
"""Seconds that the server has to shut down before its container kills it."""


class ContainerFile:
    """ALTER SYSTEM's file in a container, which may be stopped."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read(self) -> bytes:
        """See `AutoConfFile.read`."""
        with closing(connect_engine()) as engine:
            return _fetch(find_container(engine, self._name))[1]

    def write(self, content: bytes) -> None:
        """See `AutoConfFile.write`; owner and rights stay as they are."""
        with closing(connect_engine()) as engine:
            container = find_container(engine, self._name)
            member, _ = _fetch(container)
            member.size = len(content)
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w") as archive:
                archive.addfile(member, io.BytesIO(content))
            with engine_errors(f"write {AUTO_CONF} in the container {self._name}"):
                container.put_archive(str(_data_folder(container)), packed.getvalue())


class ContainerRestarter:
    """Restarts one container by name; it need not be one that we made."""

    def __init__(self, name: str) -> None:
        """Look whether the container is there.

        Raises:
            TargetError: there is none, or no engine answers.
        """
        self._name = name
        with closing(connect_engine()) as engine:
            find_container(engine, name)

    @property
    def description(self) -> str:
        """As one would type it."""
        return f"docker restart {self._name}"

    @property
    def settings_file(self) -> ContainerFile:
        """In the container's data folder."""
        return ContainerFile(self._name)

    @property
    def hardware(self) -> Hardware:
        """What the container may use: its limits, or else its engine's machine."""
        with closing(connect_engine()) as engine:
            host = find_container(engine, self._name).attrs["HostConfig"]
            with engine_errors("ask the engine for its machine"):
                machine = engine.info()
        cores = -(-int(host.get("NanoCpus") or 0) // 10**9)
        memory = int(host.get("Memory") or 0)
        return Hardware(cores or int(machine["NCPU"]), memory or int(machine["MemTotal"]))

    def check(self, started: float) -> None:
        """See `Restarter.check`: the container must run, and have started before the server."""
        with closing(connect_engine()) as engine:
            state = container_state(find_container(engine, self._name))
        if not state.running or state.started > started + 5.0:
            raise UsageError(
                f"the server that is to be tuned does not run in the container {self._name}, "
                "which is stopped or started later"
            )

    def restart(self) -> None:
        """See `Restarter.restart`."""
        with closing(connect_engine()) as engine:
            container = find_container(engine, self._name)
            try:
                with engine_errors(f"restart the container {self._name}"):
                    container.restart(timeout=STOP_PATIENCE_S)
            except TargetError as error:
                raise ServerDidNotStart(str(error), log_tail(container)) from error

    def log_tail(self) -> str:
        """See `Restarter.log_tail`."""
        with closing(connect_engine()) as engine:
            container = find_container(engine, self._name)
            end = container_state(container).end
            return f"{end}\n{log_tail(container)}".strip()


def _data_folder(container: Container) -> PurePosixPath:
    words = (word.partition("=") for word in container.attrs["Config"].get("Env") or ())
    variables = {name: value for name, _, value in words}
    return PurePosixPath(variables.get("PGDATA") or DATA_FOLDER)


def _fetch(container: Container) -> tuple[tarfile.TarInfo, bytes]:
    path = _data_folder(container) / AUTO_CONF
    with engine_errors(f"read {path} in the container {container.name}"):
        chunks, _ = container.get_archive(str(path))
        packed = io.BytesIO(b"".join(chunks))
    with tarfile.open(fileobj=packed) as archive:
        member = archive.getmembers()[0]
        file = archive.extractfile(member)
        if file is None:
            raise TargetError(f"{path} in the container {container.name} is no file")
        return member, file.read()
