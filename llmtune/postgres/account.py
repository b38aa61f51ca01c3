"""The operating system account under which a server that we start runs."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from llmtune.errors import TargetError

PREFERRED = ("postgres", "nobody")
"""PostgreSQL refuses to run as root. These accounts exist already nearly
everywhere, so nothing has to be created; the first is made for this purpose."""


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged account that root starts the server under."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """The account for the server; None when our own will do, as we are not root.

    Raises:
        TargetError: we are root and the machine has no unprivileged account for it.
    """
    if os.geteuid() != 0:
        return None
    for name in PREFERRED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise TargetError(
        "PostgreSQL does not run as root and there is no account "
        f"{' or '.join(PREFERRED)}; create one or run as an ordinary user"
    )


def run_as(
    account: Account | None,
    command: Sequence[str],
    stdin: IO[bytes] | int = subprocess.DEVNULL,
) -> subprocess.CompletedProcess[str]:
    """Run a server program under the account, with nothing of our environment.

    `PGDATA`, `PGPORT`, `PGOPTIONS` and a user's locale would all change what the
    server does. A session of its own keeps a Ctrl-C in the terminal from it.
    """
    return subprocess.run(
        list(command),
        stdin=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd="/",
        env=_environment(),
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def may_run(account: Account, program: Path) -> bool:
    """Whether the account may execute the program, its folders included."""
    path = program.resolve()
    return _allows(account, path, 0o5) and may_enter(account, path.parent)


def may_enter(account: Account, folder: Path) -> bool:
    """Whether the account may pass through the folder and all folders above it."""
    path = folder.resolve()
    return all(_allows(account, part, 0o1) for part in (path, *path.parents))


def give(account: Account | None, path: Path) -> None:
    """Make the path the account's own; it already is when there is none."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


def _allows(account: Account, path: Path, bits: int) -> bool:
    """Whether the permission bits (r=4, w=2, x=1) of the path hold for the account."""
    status = path.stat()
    if status.st_uid == account.uid:
        shift = 6
    elif status.st_gid == account.gid:
        shift = 3
    else:
        shift = 0
    return (status.st_mode >> shift) & bits == bits


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **kept}
