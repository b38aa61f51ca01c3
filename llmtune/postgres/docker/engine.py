"""The Docker engine, and what it knows of one container."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmtune.errors import TargetError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

LOG_TAIL_LINES = 20
KILLED = 137
"""The exit code of a process that ended by SIGKILL: 128 + 9."""


@dataclass(frozen=True, slots=True)
class ContainerState:
    """How a container is now, as `docker inspect` says under `State`.

    Attributes:
        status: `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
        exit_code: of its last end; 0 while it has not ended yet.
        oom_killed: whether a process of it was killed for want of memory before it ended; of a
            running one the engine does not say, see `oom_kills`.
        restarts: how often its restart policy brought it up since it was started by hand.
        memory: its limit in bytes; None means no limit.
        started: seconds since 1970 by the engine's clock; 0 before its first start.
    """

    status: str
    exit_code: int
    oom_killed: bool
    restarts: int
    memory: int | None
    started: float

    @property
    def running(self) -> bool:
        """Whether its main process runs, paused or not."""
        return self.status in ("running", "paused")

    @property
    def out_of_memory(self) -> str:
        """A kill for want of memory, in words for people."""
        limit = f" (limit {self.memory >> 20} MiB)" if self.memory else ""
        return f"killed: out of memory{limit}"

    @property
    def end(self) -> str:
        """Why it ended, in words for people; empty while it runs."""
        if self.running or self.status == "created":
            return ""
        if self.oom_killed:
            return self.out_of_memory
        killed = " (killed)" if self.exit_code == KILLED else ""
        return f"its container ended with exit code {self.exit_code}{killed}"


def connect_engine() -> DockerClient:
    """The engine that `DOCKER_HOST` names, or the one of this machine; close it after use.

    Raises:
        TargetError: none answers, or this account may not use it.
    """
    import docker

    try:
        client = docker.from_env()
    except docker.errors.DockerException as error:
        raise TargetError(_no_engine(error)) from error
    try:
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        client.close()
        raise TargetError(_no_engine(error)) from error
    return client


def check_nearby(engine: DockerClient) -> None:
    """Refuse an engine of another machine: its loopback ports cannot be reached from here.

    Raises:
        TargetError: it is reached by SSH, or by TCP at another address than this machine's.
    """
    address = urlsplit(engine.api.base_url)
    socket = address.scheme == "http+docker" and address.hostname != "ssh"
    if not socket and address.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise TargetError(
            "the Docker engine that DOCKER_HOST names is on another machine, where the docker "
            "target's server could not be reached; run LLMTune on that machine"
        )


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Whatever the engine refuses in here is a TargetError: ``cannot {doing}: ...``."""
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        reason = error.explanation or error
        raise TargetError(f"cannot {doing}: the Docker engine says: {reason}") from error
    except (DockerException, OSError) as error:  # OSError: those of requests
        raise TargetError(f"cannot {doing} through the Docker engine: {error}") from error


def find_container(engine: DockerClient, name: str) -> Container:
    """The container of this name or id, running or not.

    Raises:
        TargetError: there is none.
    """
    from docker.errors import NotFound

    with engine_errors(f"look for the container {name}"):
        try:
            return engine.containers.get(name)
        except NotFound as error:
            raise TargetError(
                f"there is no container {name!r}; `docker ps --all` lists those there are"
            ) from error


def container_state(container: Container) -> ContainerState:
    """Ask the engine how the container is now.

    Raises:
        TargetError: the container is gone, or the engine does not answer.
    """
    with engine_errors(f"look at the container {container.name}"):
        container.reload()
    state = container.attrs["State"]
    return ContainerState(
        status=state["Status"],
        exit_code=state["ExitCode"],
        oom_killed=state["OOMKilled"],
        restarts=container.attrs["RestartCount"],
        memory=container.attrs["HostConfig"]["Memory"] or None,
        started=_seconds(state["StartedAt"]),
    )


def oom_kills(container: Container, since: float, until: float) -> int:
    """How many processes of the container were killed for want of memory in between.

    A server survives the kill of a session's process, and then the container's
    state tells nothing; the engine's events do.

    Args:
        since: seconds since 1970 by the engine's clock.
        until: the same; later than now means to wait for it.

    Raises:
        TargetError: the engine does not answer.
    """
    engine: Any = container.client  # whose types know no fractions of a second
    wanted = {"container": container.id, "event": "oom"}
    with engine_errors(f"look at the container {container.name}"):
        found = engine.events(
            since=f"{since:.9f}", until=f"{until:.9f}", filters=wanted, decode=True
        )
        return sum(1 for _ in found)


def log_tail(container: Container, since: float = 0.0) -> str:
    """The last lines of the container's log, from `since` (the engine's clock; 0: all) on.

    Raises:
        TargetError: the engine does not answer.
    """
    with engine_errors(f"read the log of the container {container.name}"):
        log = container.logs(tail=LOG_TAIL_LINES, since=since or None)
    return log.decode(errors="replace").strip()


def _no_engine(error: Exception) -> str:
    if "Permission denied" in str(error):
        return (
            "this account may not use the Docker engine; add it to the group `docker`, "
            "or run as root"
        )
    return (
        "no Docker engine answers; start one (`systemctl start docker`, or Docker Desktop), "
        f"or set DOCKER_HOST to its address ({error})"
    )


def _seconds(time: str) -> float:
    """`2026-01-02T03:04:05.123456789Z` in seconds since 1970; the year 1 means never."""
    moment, _, fraction = time.rstrip("Z").partition(".")
    whole = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    return 0.0 if whole.year == 1 else whole.timestamp() + float(f"0.{fraction or 0}")
