"""The benchmark's CSV files as people have them: in a folder or in an archive.

`imdb.tgz`, as it is published, can be given as it is.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from llmtune.errors import LoadError, UsageError
from workloads.job.schema import CREATE_TABLE

BLOCK_BYTES = 1 << 18

_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)
"""What reading a damaged file or archive raises."""

_ENCRYPTED = 1
"""Bit of a zip member's flags: APPNOTE.TXT, section 4.4.4."""


class CsvFiles(Protocol):
    """One CSV file, `TABLE.csv`, for every table."""

    def rows(self, table: str) -> Iterator[bytes]:
        """The bytes of the table's file.

        Raises:
            LoadError: a file is missing or cannot be read; it is named.
        """
        ...

    def origin(self, table: str) -> str:
        """Where the table's file is, for messages."""
        ...


def open_csv_files(path: Path) -> CsvFiles:
    """The CSV files in the folder or archive (zip, or tar however compressed) at `path`.

    Raises:
        UsageError: it does not exist.
        LoadError: it is neither, or files are missing. Only a compressed tar archive,
            which has to be read whole, is not searched before its first row is asked for.
    """
    with _reading(path):
        if not path.exists():
            raise UsageError(f"there is no folder or archive {path}")
        if path.is_dir():
            return Folder(path)
        if zipfile.is_zipfile(path):
            return Zip(path)
        if tarfile.is_tarfile(path):
            return Tar(path)
    raise LoadError(f"{path} is neither a folder nor a readable zip or tar archive")


class Folder:
    """CSV files that lie in a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        _check_complete(path, {file.name for file in path.iterdir()})

    def rows(self, table: str) -> Iterator[bytes]:
        """The bytes of the table's file."""
        file = self._path / _file_name(table)
        with _reading(file), file.open("rb") as stream:
            yield from _blocks(stream)

    def origin(self, table: str) -> str:
        """The path of the table's file."""
        return str(self._path / _file_name(table))


class Zip:
    """CSV files in a zip archive, in whatever folder of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with zipfile.ZipFile(path) as archive:
            members = {PurePosixPath(one.filename).name: one for one in archive.infolist()}
        _check_complete(path, members)
        if any(one.flag_bits & _ENCRYPTED for one in members.values()):
            raise LoadError(f"{path} is encrypted; unpack it, give the folder")
        self._members = {name: one.filename for name, one in members.items()}

    def rows(self, table: str) -> Iterator[bytes]:
        """The bytes of the table's file."""
        member = self._members[_file_name(table)]
        with (
            _reading(self.origin(table)),
            zipfile.ZipFile(self._path) as archive,
            archive.open(member) as stream,
        ):
            yield from _blocks(stream)

    def origin(self, table: str) -> str:
        """The archive and the table's file in it."""
        return f"{self._path}: {_file_name(table)}"


class Tar:
    """CSV files in a tar archive, in whatever folder of it.

    The archive stays open between tables: tables that are read in the archive's order
    cost one pass over a compressed one, any other order costs a pass for each step back.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._archive: tarfile.TarFile | None = None
        self._members: dict[str, tarfile.TarInfo] = {}
        if _is_plain_tar(path):
            self._open()

    def rows(self, table: str) -> Iterator[bytes]:
        """The bytes of the table's file."""
        with _reading(self._path):
            archive = self._archive or self._open()
        with _reading(self.origin(table)):
            stream = archive.extractfile(self._members[_file_name(table)])
            if stream is None:
                raise LoadError(f"{self.origin(table)} is not a file")
            yield from _blocks(stream)

    def _open(self) -> tarfile.TarFile:
        """Read it whole once, so that damage shows before anything is loaded."""
        archive = tarfile.open(self._path)  # noqa: SIM115 - stays open between tables
        self._members = {PurePosixPath(member.name).name: member for member in archive}
        _check_complete(self._path, self._members)
        # Only the compressed stream's end has the checksum of its content.
        while archive.fileobj and archive.fileobj.read(BLOCK_BYTES):
            pass
        self._archive = archive
        return archive

    def origin(self, table: str) -> str:
        """The archive and the table's file in it."""
        return f"{self._path}: {_file_name(table)}"


def _is_plain_tar(path: Path) -> bool:
    try:
        with tarfile.open(path, "r:"):
            return True
    except tarfile.ReadError:
        return False


def _file_name(table: str) -> str:
    return f"{table}.csv"


def _check_complete(path: Path, names: Collection[str]) -> None:
    missing = [name for name in map(_file_name, CREATE_TABLE) if name not in names]
    if missing:
        lacking = ", ".join(missing) if len(missing) < len(CREATE_TABLE) else "all of them"
        raise LoadError(
            f"the benchmark's data are {len(CREATE_TABLE)} files, such as title.csv, one for "
            f"each table; {path} lacks {lacking}"
        )


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    while block := stream.read(BLOCK_BYTES):
        yield block


@contextmanager
def _reading(what: Path | str) -> Iterator[None]:
    try:
        yield
    except NotImplementedError as error:  # a method of compression, such as Deflate64
        raise LoadError(f"{what} cannot be read: {error}; unpack it, give the folder") from error
    except _DAMAGE as error:
        # Only what the system says has an errno, such as that we lack the right.
        refused = error.strerror if isinstance(error, OSError) and error.errno else None
        said = refused or f"{error}; is it damaged?"
        raise LoadError(f"{what} cannot be read: {said}") from error
