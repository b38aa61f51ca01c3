"""Units: bytes and seconds as people write them, and as PostgreSQL counts them.

As in PostgreSQL, a kilobyte is 1024 bytes everywhere, so `MB` and `MiB` are one.
"""

from __future__ import annotations

import re
from decimal import Decimal

from llmtune.errors import UsageError

_MEMORY = {"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_BLOCKS = {"8kB": 8 << 10, "16kB": 16 << 10, "32kB": 32 << 10}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400}
_MICROSECONDS = {"us": 1, "ms": 1000, "s": 10**6, "min": 60 * 10**6, "h": 3600 * 10**6}

_MEMORY_WORDS = {
    "": 1,
    **{
        letter + suffix: 1 << (10 * power)
        for power, letter in enumerate("kmgt", start=1)
        for suffix in ("", "b", "ib")
    },
    "b": 1,
}
_DURATION_WORDS = {
    **{"": 1.0, "us": 1e-6, "ms": 1e-3},
    **dict.fromkeys(("s", "sec"), 1.0),
    **dict.fromkeys(("m", "min"), 60.0),
    **dict.fromkeys(("h",), 3600.0),
    **dict.fromkeys(("d",), 86400.0),
}
_QUANTITY = re.compile(
    r"\s*(?P<number>[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)\s*(?P<unit>[a-z]*)\s*", re.I
)


def parse_memory(text: str | int) -> int:
    """Bytes from `"1.5GiB"`, `"512MB"`, `"64kB"`, `"2g"` or a plain number of bytes.

    Raises:
        UsageError: it is not a positive amount of memory.
    """
    number, unit = split_quantity(str(text), "an amount of memory such as 512MB")
    factor = _MEMORY_WORDS.get(unit.lower())
    size = int(number * (factor or 0))
    if size < 1:
        raise UsageError(f"{text!r} is not an amount of memory; write it like 512MB or 1.5GiB")
    return size


def parse_duration(text: str) -> float:
    """Seconds from `"90"`, `"45s"`, `"30m"`, `"1.5h"` or `"2d"`.

    Raises:
        UsageError: it is not a positive duration.
    """
    number, unit = split_quantity(text, "a duration such as 30m")
    factor = _DURATION_WORDS.get(unit.lower())
    if factor is None or number <= 0:
        raise UsageError(f"{text!r} is not a duration; write it like 90s, 30m or 1.5h")
    return float(number) * factor


def split_quantity(text: str, wanted: str) -> tuple[Decimal, str]:
    """The number and the unit of a text such as `"1.5 GB"`, which should be `wanted`."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is not {wanted}")
    return Decimal(match["number"]), match["unit"]


def format_memory(size: int) -> str:
    """A number of bytes for people, rounded to four digits: `"1.5GiB"`, `"64kB"`."""
    for unit, factor in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("kB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.4g}{unit}"
    return f"{size}B"


def is_memory_unit(unit: str | None) -> bool:
    """Whether a `pg_settings.unit` counts memory."""
    return unit in _MEMORY or unit in _BLOCKS


def unit_factor(unit: str | None) -> int | float:
    """Bytes (B, kB, 8kB, MB ...) or seconds (ms, s, min ...) in one `pg_settings.unit`; None: 1."""
    if unit is None:
        return 1
    return {**_MEMORY, **_BLOCKS, **_SECONDS}[unit]


def format_setting(value: int | float, unit: str | None) -> str:
    """What the server accepts and people read: 16384 in `8kB` gives `"128MB"`.

    It is exact: the largest unit in which the value is whole. Negative values
    and 0 have no unit, since they are special values, not amounts.
    """
    if unit is None or value <= 0:
        return f"{value:.15g}"
    if is_memory_unit(unit):
        sizes, factor = _MEMORY, int(unit_factor(unit))
    else:
        sizes, factor = _MICROSECONDS, _MICROSECONDS[unit]
    amount = Decimal(repr(value)) * factor
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        if amount % size == 0:
            return f"{int(amount / size)}{name}"
    return f"{value:.15g}{unit}"


def parse_setting(text: str, unit: str | None) -> Decimal:
    """The inverse of `format_setting`: `"128MB"` in `8kB` gives 16384.

    Raises:
        UsageError: it is no number, or its unit does not convert to `unit`.
    """
    number, written = split_quantity(text, "a number")
    if not written:
        return number
    family: dict[str, int | float] = {**_MEMORY} if is_memory_unit(unit) else {**_SECONDS}
    if unit is None or written not in family:
        legal = ", ".join(family) if unit else "none"
        raise UsageError(f"{text!r}: the unit {written!r} does not fit here; units: {legal}")
    return number * Decimal(str(family[written])) / Decimal(str(unit_factor(unit)))
