"""The docker target: a throw-away container; its data stay in a volume between runs."""

from __future__ import annotations

import atexit
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from llmtune.errors import TargetError
from llmtune.knobs.hardware import Hardware
from llmtune.postgres.cache import default_cache
from llmtune.postgres.docker.claim import Claim, claim
from llmtune.postgres.docker.engine import check_nearby, connect_engine, container_state
from llmtune.postgres.docker.image import DEFAULT_IMAGE, PostgresImage, find_image
from llmtune.postgres.docker.limits import Limits, container_limits
from llmtune.postgres.docker.readiness import loss_reason
from llmtune.postgres.docker.server import ContainerServer, create_server
from llmtune.postgres.limits import drop_cached_pages
from llmtune.postgres.server_settings import has_altered
from llmtune.postgres.session import environment
from llmtune.postgres.target import Connection


class DockerTarget:
    """A server in a container that exists only while the target is entered.

    Each running process has a container and a volume of its own. On entering,
    containers that killed processes left behind are removed; those that LLMTune
    did not make are never touched.
    """

    def __init__(
        self,
        image: str = DEFAULT_IMAGE,
        cores: int | None = None,
        memory: int | None = None,
        cache: Path | None = None,
    ) -> None:
        """Remember the request; the engine is not asked yet.

        Args:
            image: the official `postgres` image or one made from it.
            cores: how many cores the server may use; None means all of the engine's.
            memory: bytes it may use, file cache included; None means no limit.
            cache: the folder for what must outlive the process; None means the user's.
        """
        self._reference = image
        self._asked = (cores, memory)
        self._cache = default_cache() if cache is None else cache
        self._open_parts = ExitStack()
        self._image: PostgresImage | None = None
        self._limits: Limits | None = None
        self._server: ContainerServer | None = None
        self._explained = 0.0
        self._restart_seconds = 0.0

    @property
    def name(self) -> str:
        """`docker` and the image."""
        return f"docker {self._reference}"

    @property
    def version(self) -> int:
        """The major version that the image names."""
        if self._image is None:
            raise _not_running()
        return self._image.major

    @property
    def hardware(self) -> Hardware:
        """The container's limits, or the engine's machine where there are none."""
        if self._limits is None:
            raise _not_running()
        return self._limits.hardware

    @property
    def can_restart(self) -> bool:
        """Always."""
        return True

    @property
    def restart_seconds(self) -> float:
        """See `Target.restart_seconds`."""
        return self._restart_seconds

    @property
    def container_name(self) -> str:
        """The container's, by which `docker` finds it."""
        return str(self._running.container.name)

    def __enter__(self) -> Self:
        """Make the container and start its server.

        Raises:
            TargetError: no engine, no image, or the engine refuses.
            UsageError: more cores or memory than the engine's machine has.
            ServerDidNotStart: the server does not come up.
        """
        atexit.register(self.close)
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server and remove its container; again is harmless."""
        atexit.unregister(self.close)
        try:
            self._open_parts.close()
        finally:
            self._server = None

    def connect(
        self, database: str | None = None, settings: Mapping[str, str] | None = None
    ) -> Connection:
        """See `Target.connect`; the default database is `postgres`."""
        return self._running.connect(database or "postgres", settings)

    def libpq_environment(self, database: str) -> dict[str, str]:
        """See `Target.libpq_environment`."""
        return environment(self._running.address(database))

    def restart(self) -> None:
        """See `Target.restart`."""
        begin = time.monotonic()
        try:
            self._running.stop()
            self._running.start()
        finally:
            self._restart_seconds += time.monotonic() - begin

    def recover(self) -> None:
        """See `Target.recover`; the settings are undone in the volume of the stopped container."""
        server = self._running
        runs = container_state(server.container).running
        if runs and not has_altered(self.connect, server.has_system_settings):
            return
        server.stop()
        server.clear_system_settings()
        server.start()

    def explain_loss(self) -> str:
        """See `ExplainsLoss`: from the engine's events, the container's state and log."""
        container = self._running.container
        since = max(self._explained, container_state(container).started)
        reason = loss_reason(container, since)
        self._explained = time.time()
        return reason

    @property
    def _running(self) -> ContainerServer:
        if self._server is None:
            raise _not_running()
        return self._server

    def _open(self) -> None:
        engine = connect_engine()
        self._open_parts.callback(engine.close)
        check_nearby(engine)
        self._limits = container_limits(engine, *self._asked)
        self._image = find_image(engine, self._reference)
        folder = self._cache / "docker"
        held = self._open_parts.enter_context(claim(engine, folder, self._image.key))
        self._open_parts.callback(held.remove_container)
        self._server = self._make_server(held, self._image, self._limits)
        self._open_parts.callback(_stop_unless_gone, held, self._server)
        self._server.clear_system_settings()
        self._server.start()
        _keep_password(held.slot.folder, self._server.password)

    def _make_server(self, held: Claim, image: PostgresImage, limits: Limits) -> ContainerServer:
        """A container on the slot's volume, which is made afresh unless a server once ran on it."""
        kept = held.slot.folder / "password"
        data = held.volume() if kept.exists() else None
        if data is None:
            kept.unlink(missing_ok=True)
            data = held.new_volume()
        password = kept.read_text() if kept.exists() else secrets.token_urlsafe(24)
        if limits.memory is not None and os.access(data, os.R_OK | os.X_OK):
            # Else the engine's machine is another, or closed to us.
            drop_cached_pages(data)
        return create_server(held, image, limits, password)


def _not_running() -> TargetError:
    return TargetError("the docker target's server is not running: use the target in `with`")


def _stop_unless_gone(held: Claim, server: ContainerServer) -> None:
    if held.container() is not None:  # somebody else may have removed it
        server.stop()


def _keep_password(folder: Path, password: str) -> None:
    """Remember it for the next process that has the slot; only this account can read it.

    Its file also says that a server once came up on the volume: one that was killed
    while it made its data folder leaves a volume of no use.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    part = folder / "password.part"
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(password)
    part.replace(folder / "password")
