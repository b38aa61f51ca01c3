"""Reading a `ServerReport`; nothing is changed by it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from llmtune.errors import UnsupportedServer
from llmtune.knobs.catalogue import differences, load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.space import UNTUNED, resolve_space
from llmtune.postgres.live.in_use import read_in_use
from llmtune.postgres.live.leeway import leeways_of
from llmtune.postgres.live.machine import wal_room
from llmtune.postgres.live.present import read_overrides, read_present
from llmtune.postgres.live.provider import read_provider
from llmtune.postgres.live.reach import ChangesFor, Means, reach
from llmtune.postgres.live.report import ServerReport
from llmtune.postgres.live.rights import read_rights
from llmtune.postgres.live.side_effects import waiting_for_restart
from llmtune.postgres.live.unloaded import read_unloaded
from llmtune.postgres.originals import read_identity
from llmtune.postgres.server_settings import settings_rows
from llmtune.postgres.target import Connection

ABOUT = """
    SELECT split_part(current_setting('server_version'), ' ', 1),
           extract(epoch FROM pg_postmaster_start_time())::float8,
           pg_is_in_recovery(),
           current_setting('block_size')::int,
           (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size')
"""
BLOCK = 8192
"""Bytes of a page, in which the catalogue and what is known of tables count."""

ANY_HARDWARE = Hardware(cores=1, memory=1 << 30)
"""Where it is not known, tuning is refused, and a report is for people."""


class _About(NamedTuple):
    """What one look at the server tells of it as a whole."""

    release: str
    started: float
    standby: bool
    block: int
    segment: int


@dataclass(frozen=True, slots=True)
class Approach:
    """What is known of a server before it is asked, and what is wanted of it.

    Attributes:
        name: the target's.
        hardware: as given or seen; None where neither.
        restarter: how the server would be restarted; None: not at all.
        here: it runs on this machine.
        folder: its data folder, where that is in reach.
        changes_for: whose sessions the changes are to reach.
    """

    name: str
    hardware: Hardware | None
    restarter: str | None
    here: bool
    folder: Path | None
    changes_for: ChangesFor


def read_report(connection: Connection, approach: Approach) -> ServerReport:
    """Everything that we want to know before the first change.

    Raises:
        UnsupportedServer: its pages are of another size than ours count in.
    """
    catalogue, about = load_catalogue(), _about(connection, approach.name)
    names, version = catalogue.names, connection.info.server_version // 10000
    rights, provider = read_rights(connection, names), read_provider(connection)
    wanted = (*names, *UNTUNED)
    present, in_use = read_present(connection, wanted), read_in_use(connection)
    space = resolve_space(catalogue, version, approach.hardware or ANY_HARDWARE, durability=True)
    settings = {one.name: one for one in settings_rows(connection)}
    differing = differences(catalogue, version, settings)
    known = {one: present[one] for one in names if one in present and one not in differing}
    leeways = leeways_of(space, settings, known, about.segment, wal_room(approach.folder))
    unloaded = read_unloaded(connection)
    means = Means(
        version,
        rights,
        standby=about.standby,
        followed=in_use.wal_senders > 0,
        provider=provider,
        restarts=approach.restarter is not None,
        waiting=waiting_for_restart(connection),
        changes_for=approach.changes_for,
        leeways=leeways,
        differences=differing,
    )
    return ServerReport(
        name=approach.name,
        system=read_identity(connection, approach.name).system,
        release=about.release,
        started=about.started,
        standby=about.standby,
        rights=rights,
        provider=provider,
        here=approach.here,
        hardware=approach.hardware,
        restarter=approach.restarter,
        settings=tuple(present[name] for name in wanted if name in present),
        overrides=read_overrides(connection, names),
        in_use=in_use,
        unloaded=unloaded,
        reaches=tuple(reach(knob, present.get(knob.name), means) for knob in space.knobs),
        leeways=leeways,
    )


def _about(connection: Connection, name: str) -> _About:
    row = connection.execute(ABOUT).fetchone()
    assert row is not None  # noqa: S101  a SELECT without FROM has one row
    about = _About(*row)
    if about.block != BLOCK:
        raise UnsupportedServer(
            f"{name} was built with pages of {about.block} bytes; LLMTune counts in those of "
            f"{BLOCK}"
        )
    return about
