"""What on an engine is ours: containers and volumes by name and label.

Each belongs to a slot, a file of the cache that one process holds at a time. A
container whose slot nobody holds is a killed process's, and is cleared away.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmtune.errors import TargetError
from llmtune.postgres.docker.engine import engine_errors
from llmtune.postgres.slots import Slot, idle_slots, slots_settled, take_slot

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.volumes import Volume

LABEL = "llmtune"
"""On everything that we make; its value is the cache folder's random name."""
SLOT_LABEL = "llmtune.slot"
PROCESS_LABEL = "llmtune.process"
"""The number of the process that made it: for people."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One slot's container and volume, which bear the same name.

    Attributes:
        owner: the cache folder's random name: several caches may use one engine.
        slot: held while the claim is used.
    """

    engine: DockerClient
    owner: str
    slot: Slot

    @property
    def name(self) -> str:
        """Of the container and of the volume."""
        return f"llmtune-{self.owner}-{self.slot.folder.name}"

    @property
    def labels(self) -> dict[str, str]:
        """By which the next process knows them as ours."""
        return {
            LABEL: self.owner,
            SLOT_LABEL: self.slot.folder.name,
            PROCESS_LABEL: str(os.getpid()),
        }

    def container(self) -> Container | None:
        """The slot's container, if there is one with our labels."""
        wanted = [f"{LABEL}={self.owner}", f"{SLOT_LABEL}={self.slot.folder.name}"]
        with engine_errors("list containers"):
            found = self.engine.containers.list(all=True, filters={"label": wanted})
        return found[0] if found else None

    def remove_container(self) -> None:
        """Kill and remove the slot's container with its unnamed volumes, if there is one."""
        from docker.errors import NotFound

        container = self.container()
        if container is not None:
            with engine_errors(f"remove the container {container.name}"), suppress(NotFound):
                container.remove(force=True, v=True)

    def volume(self) -> Path | None:
        """The slot's volume, by its folder on the engine's machine; None where there is none.

        Raises:
            TargetError: the volume of this name is not ours.
        """
        found = self._volume()
        return None if found is None else Path(found.attrs["Mountpoint"])

    def new_volume(self) -> Path:
        """An empty volume in place of the one that there may be; see `volume`."""
        found = self._volume()
        with engine_errors(f"make the volume {self.name}"):
            if found is not None:
                found.remove()
            made = self.engine.volumes.create(self.name, labels=self.labels)
        return Path(made.attrs["Mountpoint"])

    def _volume(self) -> Volume | None:
        from docker.errors import NotFound

        with engine_errors(f"look for the volume {self.name}"):
            try:
                found = self.engine.volumes.get(self.name)
            except NotFound:
                return None
        if (found.attrs["Labels"] or {}).get(LABEL) != self.owner:
            raise TargetError(
                f"there is a volume {self.name} that LLMTune did not make; "
                f"if it is of no use, remove it: docker volume rm {self.name}"
            )
        return found


@contextmanager
def claim(engine: DockerClient, folder: Path, key: str) -> Iterator[Claim]:
    """Hold a slot of `folder`, cleared of containers; so are all that nobody holds.

    Args:
        folder: in the cache; made if it is not there.
        key: what data of one slot can be used for, such as `PostgresImage.key`.

    Raises:
        TargetError: all slots are taken, or the folder cannot be used.
    """
    owner = _owner(folder)
    with slots_settled(folder):
        slot = take_slot(folder, key)
        try:
            held = Claim(engine, owner, slot)
            held.remove_container()
            for idle in idle_slots(folder, "*"):
                Claim(engine, owner, idle).remove_container()
        except BaseException:
            slot.release()
            raise
    try:
        yield held
    finally:
        slot.release()


def _owner(folder: Path) -> str:
    """The folder's random name, drawn when it is first used."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with slots_settled(folder):
            file = folder / "owner"
            if not file.exists():
                file.write_text(secrets.token_hex(4))
            return file.read_text()
    except OSError as error:
        raise TargetError(f"cannot use the cache folder {folder}: {error.strerror}") from error
