"""What a server's data lie on: solid state, rotating disks or a storage network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_NETWORKS = ("session", "rport-", "nvme-fabrics")
"""How the folder in sysfs begins that a disk hangs on behind iSCSI, Fibre Channel, NVMe-oF."""

_ELSEWHERE = ("vd", "xvd", "loop", "nbd", "rbd", "drbd", "ram", "zram")
"""How the kernel names disks that it knows from a hypervisor, a file or another machine alone."""

_MADE_UP = ("virtual", "vmware", "qemu", "vbox", "persistentdisk")
"""In the models of disks that a hypervisor passes off as hardware."""


class Storage(StrEnum):
    """The kinds of storage that want other settings."""

    SSD = "ssd"
    HDD = "hdd"
    SAN = "san"


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """A disk as the kernel shows it, or what it makes of several.

    Attributes:
        path: of its folder in sysfs, which tells what it hangs on.
        rotational: whether it is said to rotate.
        model: maker and model; empty where there is none.
        parts: what a logical volume, an array or an encrypted device is made of.
    """

    path: Path
    rotational: bool
    model: str = ""
    parts: tuple[BlockDevice, ...] = ()

    @property
    def storage(self) -> Storage | None:
        """Its kind; None: nobody here knows, or the parts are of several kinds.

        A virtual disk is said to rotate by most hypervisors, whatever it lies on, and
        a network's by most arrays.
        """
        if self.parts:
            kinds = {part.storage for part in self.parts}
            return kinds.pop() if len(kinds) == 1 else None
        if self._is_virtual:
            return None
        if any(folder.startswith(_NETWORKS) for folder in self.path.parts):
            return Storage.SAN
        return Storage.HDD if self.rotational else Storage.SSD

    @property
    def _is_virtual(self) -> bool:
        model = self.model.lower()
        return self.path.name.startswith(_ELSEWHERE) or any(word in model for word in _MADE_UP)


def detect_storage(folder: Path, root: Path = Path("/")) -> Storage | None:
    """What the file system of a folder lies on.

    None: the kernel does not tell. Besides virtual disks that goes for what has no one
    disk below it: an overlay, a network's file system, Btrfs or ZFS; and for systems
    other than Linux.

    Args:
        root: where `sys` lies.
    """
    try:
        number = folder.stat().st_dev
        node = root / "sys/dev/block" / f"{os.major(number)}:{os.minor(number)}"
        return _read(node.resolve(strict=True)).storage
    except OSError:
        return None


def _read(node: Path) -> BlockDevice:
    """The device of a folder in sysfs; of a partition, the disk that it is a part of."""
    disk = node.parent if (node / "partition").is_file() else node
    return BlockDevice(
        path=disk,
        rotational=(disk / "queue/rotational").read_text().strip() == "1",
        model=" ".join(_words(disk / "device" / name) for name in ("vendor", "model")).strip(),
        parts=tuple(_read(part.resolve()) for part in sorted((disk / "slaves").glob("*"))),
    )


def _words(file: Path) -> str:
    return file.read_text().strip() if file.is_file() else ""
