"""How far a knob may go on one server, where that is less than its scale in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmtune.knobs.resolved import ResolvedKnob
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.live.present import PresentSetting
from llmtune.postgres.target import Connection
from llmtune.units import format_setting

WORKERS = "max_worker_processes"
WAL_SIZES = ("max_wal_size", "min_wal_size")
MB = 1 << 20
"""Bytes of the unit in which both count."""

SEGMENT = "SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'"
SEGMENTS = 2
"""With less than these of its WAL segments a server does not start, though ALTER SYSTEM and
a reload take it. Source: `ReadControlFile` in `src/backend/access/transam/xlog.c`."""

UNSEEN_GROWTH = 4
"""How many times the present `max_wal_size` the WAL may grow to on a disk that we cannot see."""


@dataclass(frozen=True, slots=True)
class Leeway:
    """The ends between which one server leaves a knob.

    Attributes:
        low, high: in the knob's unit; None: as far as its scale goes.
        why: what sets them, for people.
    """

    low: int | None
    high: int | None
    why: str

    def narrows(self, knob: ResolvedKnob) -> bool:
        """Whether it leaves less than the knob's scale."""
        return self._ends(knob) != (knob.low, knob.high)

    def leaves(self, knob: ResolvedKnob) -> bool:
        """Whether it leaves anything of the knob's scale."""
        low, high = self._ends(knob)
        return low < high

    def _ends(self, knob: ResolvedKnob) -> tuple[float, float]:
        low = knob.low if self.low is None else max(knob.low, self.low)
        return low, knob.high if self.high is None else min(knob.high, self.high)


def read_leeways(
    connection: Connection,
    space: KnobSpace,
    present: Mapping[str, PresentSetting],
    room: int | None,
) -> dict[str, Leeway]:
    """By knob, what the server leaves of those of `space` whose scale it narrows.

    Args:
        room: bytes that the WAL has on its disk; None: not known.
    """
    row = connection.execute(SEGMENT).fetchone()
    segment, now = (row[0] if row else 0) // MB, int(present["max_wal_size"].value)
    wal = wal_leeway(segment, now, None if room is None else room // MB)
    found = {**dict.fromkeys(WAL_SIZES, wal), WORKERS: workers_leeway(int(present[WORKERS].value))}
    return {name: one for name, one in found.items() if one.narrows(space[name])}


def wal_leeway(segment: int, present: int, room: int | None) -> Leeway:
    """How small and how large the sizes of the WAL may be; all in megabytes.

    A server whose WAL fills its disk stops, and needs room to recover. So half of the room
    is left, for what the disk holds besides and for WAL beyond the limit, which is a soft
    one. A power of two is the same tomorrow, when a little less may be free.

    Args:
        segment: of one of its files.
        present: `max_wal_size`, which it may grow to in any case.
        room: see `read_leeways`.
    """
    least, most = SEGMENTS * segment, UNSEEN_GROWTH * present
    reason = f"{UNSEEN_GROWTH} times the present max_wal_size, as its disk cannot be seen"
    if room is not None:
        most = max(present, (1 << (room // 2).bit_length()) >> 1)
        reason = "within half of what its disk has for it, or max_wal_size as it is"
    ends = format_setting(least, "MB"), format_setting(most, "MB")
    why = f"{ends[0]} ({SEGMENTS} WAL segments, or it would not start) to {ends[1]} ({reason})"
    return Leeway(least, most, why)


def workers_leeway(present: int) -> Leeway:
    """How few background workers there may be where there may be so many now.

    Those of extensions and of logical replication come and go, and one that finds no
    place fails: its owner knows how many there are, and one look at them does not tell.
    """
    why = f"at least the present {present}, on which other background workers may count"
    return Leeway(present, None, why)
