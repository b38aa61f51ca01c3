"""Single files inside a container, running or not, and in its volumes."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from llmtune.postgres.docker.engine import engine_errors

if TYPE_CHECKING:
    from docker.models.containers import Container


@dataclass(frozen=True, slots=True)
class ContainerFile:
    """A small text file with its owner and rights, which writing it back keeps."""

    path: PurePosixPath
    text: str
    mode: int = 0o600
    uid: int = 0
    gid: int = 0


def read_file(container: Container, path: PurePosixPath) -> ContainerFile | None:
    """The file, or None where there is none.

    Raises:
        TargetError: the engine does not answer.
    """
    from docker.errors import NotFound

    with engine_errors(f"read {path} of the container {container.name}"):
        try:
            chunks, _ = container.get_archive(str(path))
        except NotFound:
            return None
        archive = io.BytesIO(b"".join(chunks))
    with tarfile.open(fileobj=archive) as tar:
        member = tar.next()
        content = None if member is None else tar.extractfile(member)
        if member is None or content is None:
            return None
        text = content.read().decode("utf-8", "surrogateescape")
        return ContainerFile(path, text, member.mode, member.uid, member.gid)


def write_file(container: Container, file: ContainerFile) -> None:
    """Put the file there in place of an older one; its folder must exist.

    Raises:
        TargetError: the engine refuses it.
    """
    content = file.text.encode("utf-8", "surrogateescape")
    member = tarfile.TarInfo(file.path.name)
    member.size, member.mode = len(content), file.mode
    member.uid, member.gid = file.uid, file.gid
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(member, io.BytesIO(content))
    with engine_errors(f"write {file.path} into the container {container.name}"):
        container.put_archive(str(file.path.parent), archive.getvalue())
