"""The image that a server runs from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from llmtune.errors import TargetError
from llmtune.postgres.docker.engine import engine_errors
from llmtune.postgres.target import check_version

if TYPE_CHECKING:
    from docker import DockerClient

DEFAULT_IMAGE = "postgres:18"


@dataclass(frozen=True, slots=True)
class PostgresImage:
    """An image with the interface of the official `postgres` one.

    Source: https://hub.docker.com/_/postgres

    Attributes:
        reference: its name and tag, as the user gave them.
        major: the server's major version.
    """

    reference: str
    major: int

    @property
    def key(self) -> str:
        """Names data that this image can use: another version, or another C library's
        sort order, cannot."""
        digest = sha256(self.reference.encode()).hexdigest()[:8]
        return f"pg{self.major}-{digest}"


def find_image(engine: DockerClient, reference: str) -> PostgresImage:
    """The image, which must be on this engine already.

    Raises:
        TargetError: it is not there, or is none of PostgreSQL.
        UnsupportedServer: its version is not covered.
    """
    from docker.errors import ImageNotFound

    with engine_errors(f"look for the image {reference}"):
        try:
            image = engine.images.get(reference)
        except ImageNotFound as error:
            raise TargetError(
                f"the image {reference} is not on this machine; "
                f"fetch it first: docker pull {reference}"
            ) from error
    major = _major(image.attrs["Config"].get("Env") or [])
    if major is None:
        raise TargetError(
            f"the image {reference} does not say its PostgreSQL version (PG_MAJOR); "
            "use the official `postgres` image, or one made from it"
        )
    check_version(major)
    return PostgresImage(reference, major)


def _major(environment: list[str]) -> int | None:
    found = (re.fullmatch(r"PG_MAJOR=(\d+)", variable) for variable in environment)
    return next((int(match[1]) for match in found if match), None)
