"""One PostgreSQL server in a container of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from llmtune.errors import ConnectionFailed
from llmtune.postgres.docker.claim import Claim
from llmtune.postgres.docker.engine import container_state, engine_errors
from llmtune.postgres.docker.files import ContainerFile, read_file, write_file
from llmtune.postgres.docker.image import PostgresImage
from llmtune.postgres.docker.limits import Limits
from llmtune.postgres.docker.readiness import wait_until_ready
from llmtune.postgres.session import open_session
from llmtune.postgres.target import Connection

if TYPE_CHECKING:
    from docker.models.containers import Container

SUPERUSER = "postgres"
VOLUME = PurePosixPath("/llmtune")
"""Not the image's own place for data, which moved in version 18."""
DATA = VOLUME / "data"
PASSWORD = PurePosixPath("/llmtune-password")
PORT = "5432/tcp"
STOP_PATIENCE_S = 60
QUIT_PATIENCE_S = 10
SETTINGS = ("cluster_name=llmtune", "timezone=UTC", "log_timezone=UTC")
"""What a server of our own needs and nobody tunes."""


@dataclass(frozen=True, slots=True)
class ContainerServer:
    """A server whose data outlive its container, reached over a loopback port.

    Attributes:
        password: the superuser's.
    """

    container: Container
    password: str = field(repr=False)

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            ServerDidNotStart: it ended, or does not answer.
        """
        with engine_errors(f"start the container {self.container.name}"):
            self.container.start()
        container_state(self.container)  # knows the port, which is another after each start
        wait_until_ready(self.container, self.answers)

    def stop(self) -> None:
        """Stop the server if it runs; one that does not answer is just ended.

        PostgreSQL 18, asked politely while it restarts after a crash, finishes the
        restart and then waits for ever.
        """
        if not container_state(self.container).running:
            return
        patience_s = STOP_PATIENCE_S
        with engine_errors(f"stop the container {self.container.name}"):
            if not self.answers():
                self._quit()
                patience_s = QUIT_PATIENCE_S
            self.container.stop(timeout=patience_s)

    def _quit(self) -> None:
        """Ask for an immediate end; a container that just ended by itself cannot be asked."""
        from docker.errors import APIError

        try:
            self.container.kill("SIGQUIT")
        except APIError as error:
            if error.status_code != 409:
                raise

    def connect(
        self, database: str = SUPERUSER, settings: Mapping[str, str] | None = None
    ) -> Connection:
        """See `Target.connect`."""
        return open_session(settings or {}, self.address(database))

    def address(self, database: str) -> dict[str, str]:
        """libpq's parameters of a connection to `database`.

        Raises:
            ConnectionFailed: the container does not run.
        """
        published = self.container.attrs["NetworkSettings"]["Ports"].get(PORT)
        if not published:
            raise ConnectionFailed(f"the container {self.container.name} does not run")
        return {
            "host": "127.0.0.1",
            "port": published[0]["HostPort"],
            "user": SUPERUSER,
            "password": self.password,
            "dbname": database,
            "options": "",  # not what PGOPTIONS says
            "sslmode": "disable",
            "gssencmode": "disable",
            "connect_timeout": "10",
        }

    def answers(self) -> bool:
        """Whether the server lets us log in."""
        try:
            self.connect().close()
        except ConnectionFailed:
            return False
        return True

    def clear_system_settings(self) -> None:
        """Undo every ALTER SYSTEM in its file; takes effect at the next start."""
        file = self._system_settings()
        if file is not None:
            empty = ContainerFile(file.path, "", file.mode, file.uid, file.gid)
            write_file(self.container, empty)

    def has_system_settings(self) -> bool:
        """Whether ALTER SYSTEM's file sets anything."""
        file = self._system_settings()
        lines = file.text.splitlines() if file else []
        return any(line.strip() and not line.startswith("#") for line in lines)

    def _system_settings(self) -> ContainerFile | None:
        return read_file(self.container, DATA / "postgresql.auto.conf")


def create_server(
    claim: Claim, image: PostgresImage, limits: Limits, password: str
) -> ContainerServer:
    """Make the slot's container, with its volume and its limits, not started yet.

    Args:
        password: the superuser's; a new volume gets it, an older one has it.
    """
    from docker.types import LogConfig

    with engine_errors(f"make a container of {image.reference}"):
        container = claim.engine.containers.create(
            image.reference,
            ["postgres", *(word for pair in SETTINGS for word in ("-c", pair))],
            name=claim.name,
            labels=claim.labels,
            volumes={claim.name: {"bind": str(VOLUME), "mode": "rw"}},
            ports={PORT: ("127.0.0.1", 0)},  # 0: one that is free
            environment={
                "PGDATA": str(DATA),
                "POSTGRES_USER": SUPERUSER,
                # Whoever may look at the container sees its environment, not its files.
                "POSTGRES_PASSWORD_FILE": str(PASSWORD),
                "POSTGRES_INITDB_ARGS": "--encoding=UTF8 --locale=C",
            },
            stop_signal="SIGINT",
            log_config=LogConfig(type="json-file", config={"max-size": "10m"}),
            **limits.options,
        )
    # The image's entrypoint reads it as the server's account, whose number differs.
    write_file(container, ContainerFile(PASSWORD, password, 0o444))
    return ContainerServer(container, password)
