"""The health of this installation: what it needs to start a server, a model, a container."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from llmtune.errors import LLMTuneError
from llmtune.units import format_memory

LEAST_ROOM = 1 << 30
"""Bytes below which not even a small data set is likely to fit."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: its name for people.
        fine: whether it works.
        detail: what was found; if it is not fine, what is wrong and the mend.
        needed: tuning the target in question is impossible without it.
    """

    what: str
    fine: bool
    detail: str
    needed: bool


def findings(target: str) -> Iterator[Finding]:
    """Everything that was looked at on this machine, for tuning `target`."""
    embedded = target == "embedded"
    yield _tried("PostgreSQL programs", _programs, needed=embedded)
    yield _tried("account for the server", _account, needed=embedded)
    yield _room(needed=embedded)
    yield _tried("adapter", _adapter, needed=False)
    yield _tried("Docker engine", _engine, needed=target.startswith("docker"))


def _tried(what: str, look: Callable[[], str], *, needed: bool) -> Finding:
    try:
        return Finding(what, True, look(), needed)
    except LLMTuneError as error:
        return Finding(what, False, str(error), needed)


def _programs() -> str:
    from llmtune.postgres.binaries import find_binaries

    binaries = find_binaries()
    return f"PostgreSQL {binaries.release} in {binaries.folder}"


def _account() -> str:
    from llmtune.postgres.account import server_account

    account = server_account()
    return "your own" if account is None else f"{account.name}, as you are root"


def _adapter() -> str:
    from llmtune.knobs.catalogue import load_catalogue
    from llmtune.model.adapter import DEFAULT_ADAPTER, check_adapter, read_card
    from llmtune.model.checkpoint import find_base_model

    read_card(DEFAULT_ADAPTER)
    base = find_base_model(None)
    check_adapter(DEFAULT_ADAPTER, base, load_catalogue().hash)
    return f"fits the knob catalogue and the base model {base.name}"


def _engine() -> str:
    from llmtune.postgres.docker.engine import connect_engine, engine_errors

    with closing(connect_engine()) as engine, engine_errors("ask the engine for its version"):
        return f"Docker {engine.version()['Version']}"


def _room(*, needed: bool) -> Finding:
    from llmtune.postgres.cache import default_cache

    folder = default_cache()
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(existing).free
    fine, room = free >= LEAST_ROOM, f"{format_memory(free)} free in {folder}"
    return Finding("room for data", fine, room if fine else f"only {room}; make room", needed)
