"""TPC-H's rows, generated while they are loaded; nothing is written to disk.

Source: `tpchgen-cli`, whose output is byte-identical to the reference `dbgen`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from llmtune.errors import LoadError

TABLES = ("lineitem", "orders", "partsupp", "customer", "part", "supplier", "nation", "region")
"""The order in which reading them is cheapest: the largest first, at every scale."""

BLOCK_BYTES = 1 << 18

_TABLE_OF_PREFIX = {
    "l": "lineitem",
    "o": "orders",
    "ps": "partsupp",
    "p": "part",
    "c": "customer",
    "s": "supplier",
    "n": "nation",
    "r": "region",
}
_HEADER = re.compile(rb"\n[a-z]")
"""Every row starts with a key's digits, so a line that starts with a letter is a header."""


class Generator:
    """Yields tables at one scale factor, consecutive ones from one process.

    The program takes a second of CPU to start, whatever it is asked for. So whoever
    reads `TABLES` in their order starts it once; any other order works too, with one
    process for each table.
    """

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""
        self._at: str | None = None

    def rows(self, table: str) -> Iterator[bytes]:
        """The CSV rows of `table` without the header, in blocks of whole lines.

        Raises:
            LoadError: the generator is not installed or failed.
        """
        if self._at != table:
            self._start(table)
        self._at = None
        finished = False
        try:
            yield from self._until_header()
            finished = True
        finally:
            if not finished:
                self.stop()

    def stop(self) -> None:
        """End a process that has not been read to its end."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process, self._pending, self._at = None, b"", None

    def _start(self, table: str) -> None:
        """Open a process whose output stands behind the header of `table`."""
        for tables in (TABLES, (table,)) if table == TABLES[0] else ((table,),):
            self.stop()
            self._process = subprocess.Popen(
                _command(self._scale, tables), stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            if not any(self._until_header()) and self._at == table:
                return
        self.stop()
        raise LoadError(f"tpchgen-cli did not begin with the header of table {table}")

    def _until_header(self) -> Iterator[bytes]:
        """Yield what comes before the next table's header, and move behind it."""
        while block := self._read():
            cut = _header_position(block)
            if cut is None:
                yield block
                continue
            if cut > 0:
                yield block[:cut]
            header, _, self._pending = block[cut:].partition(b"\n")
            self._at = _TABLE_OF_PREFIX.get(header.decode().partition("_")[0])
            return
        self._finish()

    def _read(self) -> bytes:
        if self._pending:
            block, self._pending = self._pending, b""
            return block
        output = self._stream("stdout")
        return output.read(BLOCK_BYTES) + output.readline()

    def _finish(self) -> None:
        process = cast("subprocess.Popen[bytes]", self._process)
        message = self._stream("stderr").read().decode(errors="replace").strip()
        code = process.wait()
        self.stop()
        if code != 0:
            raise LoadError(f"tpchgen-cli failed with exit code {code}: {message}")

    def _stream(self, name: str) -> IO[bytes]:
        return cast("IO[bytes]", getattr(self._process, name))


def _header_position(block: bytes) -> int | None:
    if block[:1].isalpha():
        return 0
    found = _HEADER.search(block)
    return found.start() + 1 if found else None


def _command(scale: float, tables: tuple[str, ...]) -> list[str]:
    # On one thread the program writes one table after another: the largest first, and of
    # those it counts as equally large the last named.
    names = ",".join(reversed(tables))
    options = ["--scale-factor", f"{scale:.15g}", "--tables", names]
    return [str(_program()), "csv", *options, "--stdout", "--quiet", "--num-threads", "1"]


def _program() -> Path:
    """The wheel's program: beside this interpreter's scripts, or on the PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
    found = str(beside) if beside.exists() else shutil.which("tpchgen-cli")
    if found is None:
        raise LoadError("tpchgen-cli is not installed; run: pip install tpchgen-cli")
    return Path(found)
