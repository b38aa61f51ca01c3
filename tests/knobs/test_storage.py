"""Storage as the kernel shows it: which disks tell what they are, and which do not."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from llmtune.knobs.storage import BlockDevice, Storage, detect_storage

ATA = "devices/pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sda"
DISKS = {
    "a rotating disk": (ATA, True, "ATA ST4000NM0035", Storage.HDD),
    "a solid one": (ATA, False, "ATA Samsung SSD 860", Storage.SSD),
    "NVMe": ("devices/pci0000:00/nvme/nvme0/nvme0n1", False, "INTEL SSDPE2KX010T8", Storage.SSD),
    "iSCSI": ("devices/platform/host7/session1/target7:0:0/block/sdb", True, "x", Storage.SAN),
    "Fibre Channel": ("devices/pci0000:00/host1/rport-1:0-2/block/sdc", True, "x", Storage.SAN),
    "virtio": ("devices/pci0000:00/virtio1/block/vda", True, "0x1af4", None),
    "virtio, said to be solid": ("devices/pci0000:00/virtio1/block/vda", False, "0x1af4", None),
    "an emulated disk": (ATA, True, "ATA QEMU HARDDISK", None),
    "a hypervisor's": (ATA, True, "VMware Virtual disk", None),
    "a file": ("devices/virtual/block/loop0", False, "", None),
}


def disk(kind: str) -> BlockDevice:
    path, rotational, model, _ = DISKS[kind]
    return BlockDevice(Path("/sys") / path, rotational=rotational, model=model)


@pytest.mark.parametrize("kind", DISKS)
def test_a_disk_is_what_it_says_unless_somebody_else_says_it(kind: str) -> None:
    assert disk(kind).storage is DISKS[kind][-1]


@pytest.mark.parametrize(
    ("kinds", "storage"),
    [
        (["a rotating disk", "a rotating disk"], Storage.HDD),
        (["NVMe", "a solid one"], Storage.SSD),
        (["NVMe", "a rotating disk"], None),
        (["virtio"], None),
    ],
)
def test_an_array_is_what_all_its_disks_are(kinds: list[str], storage: Storage | None) -> None:
    parts = tuple(map(disk, kinds))
    array = BlockDevice(Path("/sys/devices/virtual/block/md0"), rotational=True, parts=parts)
    volume = BlockDevice(Path("/sys/devices/virtual/block/dm-0"), rotational=False, parts=(array,))
    assert volume.storage is storage


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where a `sys` of the test's own lies, with one rotating disk of one partition."""
    shown(tmp_path, ATA, rotational="1", model="ST4000NM0035    ")
    partition = tmp_path / "sys" / ATA / "sda1"
    partition.mkdir()
    (partition / "partition").write_text("1\n")
    return tmp_path


def shown(root: Path, path: str, rotational: str, model: str = "") -> Path:
    """Have the kernel show a device."""
    folder = root / "sys" / path
    for name, text in {"queue/rotational": rotational, "device/model": model}.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(f"{text}\n")
    (folder / "slaves").mkdir()
    return folder


@pytest.fixture
def below(root: Path) -> Callable[[Path], Path]:
    """Have a device be below the file system of a folder, which is returned."""

    def put(device: Path) -> Path:
        number = root.stat().st_dev
        node = root / "sys/dev/block" / f"{os.major(number)}:{os.minor(number)}"
        node.parent.mkdir(parents=True)
        node.symlink_to(device)
        return root

    return put


def test_of_a_partition_its_disk_is_asked(root: Path, below) -> None:
    folder = below(root / "sys" / ATA / "sda1")
    assert detect_storage(folder, root) is Storage.HDD


def test_of_a_logical_volume_the_disks_below_it_are_asked(root: Path, below) -> None:
    volume = shown(root, "devices/virtual/block/dm-0", rotational="0")
    (volume / "slaves/sda1").symlink_to(root / "sys" / ATA / "sda1")
    assert detect_storage(below(volume), root) is Storage.HDD


def test_a_hypervisors_disk_tells_nothing(root: Path, below) -> None:
    virtual = shown(root, "devices/pci0000:00/ata2/block/sdb", "1", model="VBOX HARDDISK")
    assert detect_storage(below(virtual), root) is None


def test_a_file_system_without_a_disk_tells_nothing(root: Path) -> None:
    assert detect_storage(root, root) is None
    assert detect_storage(root / "no such folder", root) is None
