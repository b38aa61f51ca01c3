"""ALTER SYSTEM's file of a server that may be down, wherever it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from llmtune.postgres.auto_conf import read_auto_conf, system_identifier, write_auto_conf


class AutoConfFile(Protocol):
    """`postgresql.auto.conf` of a server that may be down."""

    def read(self) -> bytes:
        """Its content.

        Raises:
            TargetError: it cannot be read.
        """
        ...

    def write(self, content: bytes) -> None:
        """Replace it.

        Raises:
            TargetError: it cannot be written.
        """
        ...

    def system(self) -> str:
        """The system identifier of the cluster that it belongs to.

        Raises:
            TargetError: the cluster's control file cannot be read.
        """
        ...


class FolderFile:
    """The file in a data folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> bytes:
        """See `AutoConfFile.read`."""
        return read_auto_conf(self._folder)

    def write(self, content: bytes) -> None:
        """See `AutoConfFile.write`."""
        write_auto_conf(self._folder, content)

    def system(self) -> str:
        """See `AutoConfFile.system`."""
        return system_identifier(self._folder)
