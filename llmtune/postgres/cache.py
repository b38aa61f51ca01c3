"""The folder in which servers of our own keep their data between runs."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

from llmtune.errors import TargetError
from llmtune.postgres.account import Account, may_enter

ROOT_CACHE = Path("/var/cache/llmtune")
CACHE_VARIABLE = "LLMTUNE_CACHE"


def default_cache() -> Path:
    """The folder for data and copies, from `LLMTUNE_CACHE` if that is set.

    Root's is below /var, for the server's account cannot enter root's home.
    """
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE]).absolute()
    return ROOT_CACHE if os.geteuid() == 0 else user_cache_path("llmtune")


def clusters_folder(cache: Path, account: Account | None) -> Path:
    """The folder of all servers' slots in the cache, made if it is not there.

    Raises:
        TargetError: it cannot be made, or the server's account cannot get there.
    """
    folder = cache / "clusters"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(f"cannot use the cache folder {cache}: {error.strerror}") from error
    if account is not None and not may_enter(account, folder):
        raise TargetError(
            f"the account {account.name}, under which the server runs because you are root, "
            f"may not enter {folder}; set {CACHE_VARIABLE} to a folder that all may enter"
        )
    return folder
