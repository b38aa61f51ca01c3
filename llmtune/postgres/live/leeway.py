"""How far a knob may go on one server, where that is less than its scale in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmtune.knobs.catalogue import SettingRow
from llmtune.knobs.resolved import ResolvedKnob
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.live.present import PresentSetting
from llmtune.units import format_setting

WORKERS = "max_worker_processes"
MAX_WAL = "max_wal_size"
WAL_SIZES = ("min_wal_size", MAX_WAL)
MB = 1 << 20
"""Bytes of the unit in which both count."""

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

    low: float | None
    high: float | None
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


def leeways_of(
    space: KnobSpace,
    settings: Mapping[str, SettingRow],
    present: Mapping[str, PresentSetting],
    segment: int,
    room: int | None,
) -> dict[str, Leeway]:
    """By knob, what the server leaves of those of `space` whose scale it narrows.

    Args:
        settings: the server's description of them.
        present: their values, of those that are as the catalogue knows them.
        segment: bytes of one of the WAL's files.
        room: bytes that the WAL has on its disk; None: not known.
    """
    limits, workers = _limits(settings, present), _workers(present)
    found = {**limits, **workers, **_wal(present, segment, room)}
    return {name: one for name, one in found.items() if name in space and one.narrows(space[name])}


def _limits(
    settings: Mapping[str, SettingRow], present: Mapping[str, PresentSetting]
) -> dict[str, Leeway]:
    """What the server takes at all, on another system perhaps less than elsewhere."""
    return {
        row.name: _limit(float(row.min_val), float(row.max_val), row.unit)
        for row in (settings[name] for name in present)
        if row.min_val is not None and row.max_val is not None
    }


def _limit(low: float, high: float, unit: str | None) -> Leeway:
    ends = [format_setting(end, unit) for end in (low, high)]
    return Leeway(low, high, f"{ends[0]} to {ends[1]}, which is all that this server takes")


def _workers(present: Mapping[str, PresentSetting]) -> dict[str, Leeway]:
    """No fewer background workers than there may be now.

    Those of extensions and of logical replication come and go, and one that finds no
    place fails: its owner knows how many there are, and one look at them does not tell.
    """
    if WORKERS not in present:
        return {}
    least = int(present[WORKERS].value)
    why = f"at least the present {least}, on which other background workers may count"
    return {WORKERS: Leeway(least, None, why)}


def _wal(
    present: Mapping[str, PresentSetting], segment: int, room: int | None
) -> dict[str, Leeway]:
    """What `wal_leeway` leaves of both sizes of the WAL."""
    if MAX_WAL not in present:
        return {}
    disk = None if room is None else room // MB
    leeway = wal_leeway(segment // MB, int(present[MAX_WAL].value), disk)
    return {name: leeway for name in WAL_SIZES if name in present}


def wal_leeway(segment: int, present: int, room: int | None) -> Leeway:
    """How small and how large the sizes of the WAL may be; all in megabytes.

    A server whose WAL fills its disk stops, and needs room to recover. So half of the room
    is left, for what the disk holds besides and for WAL beyond the limit, which is a soft
    one. A power of two is the same tomorrow, when a little less may be free.

    Args:
        segment: of one of its files.
        present: `max_wal_size`, which it may grow to in any case.
        room: that its disk has for it; None: not known.
    """
    least, most = SEGMENTS * segment, UNSEEN_GROWTH * present
    reason = f"{UNSEEN_GROWTH} times the present max_wal_size, as its disk cannot be seen"
    if room is not None:
        most = max(present, (1 << (room // 2).bit_length()) >> 1)
        reason = "within half of what its disk has for it, or max_wal_size as it is"
    ends = format_setting(least, "MB"), format_setting(most, "MB")
    why = f"{ends[0]} ({SEGMENTS} WAL segments, or it would not start) to {ends[1]} ({reason})"
    return Leeway(least, most, why)
