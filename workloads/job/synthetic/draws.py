"""Random draws without state: a number is a pure function of seed, stream and id.

So any table can ask again what kind a movie is or which country a person comes
from, in any order, and nothing has to be remembered. Everything from the draw on
is integer arithmetic, hence the same bytes on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Words: TypeAlias = NDArray[np.uint64]

LEVELS = 4096
"""A draw's field of 12 bits has this many values; tables of weights have this many slots."""

_LEVEL_BITS = 12
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def stream_key(seed: int, stream: str) -> np.uint64:
    """The key of one named stream of draws."""
    return np.uint64(int.from_bytes(sha256(f"{seed}/{stream}".encode()).digest()[:8], "big"))


def draw(key: np.uint64, ids: Ints) -> Words:
    """64 random bits for each id.

    Source: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014), whose state is here the key plus the id's multiple.
    """
    words = ids.astype(np.uint64)
    words *= _GOLDEN
    words += key
    for shift, factor in zip(_SHIFTS, _FACTORS, strict=False):
        words ^= words >> shift
        words *= factor
    words ^= words >> _SHIFTS[2]
    return words


def level(words: Words, number: int) -> Ints:
    """The 12-bit field `number` (0 to 4) of each draw: 0 to `LEVELS` - 1."""
    field = (words >> np.uint64(_LEVEL_BITS * number)) & np.uint64(LEVELS - 1)
    return field.astype(np.int64)


def choice_table(weights: Sequence[float], slots: int = LEVELS) -> Ints:
    """`slots` indices into `weights`, in order, each in proportion to its weight.

    A positive weight below one slot's worth may get none.
    """
    ends = np.cumsum(np.asarray(weights, dtype=np.float64))
    cuts = np.round(ends * (slots / ends[-1])).astype(np.int64)
    places: Ints = np.searchsorted(cuts, np.arange(slots), side="right").astype(np.int64)
    return places


def choice_tables(rows: Sequence[Sequence[float]]) -> Ints:
    """One `choice_table` for each row of weights: shape (rows, LEVELS)."""
    return np.stack([choice_table(weights) for weights in rows])


def spaced(words: Words, numbers: Ints) -> Words:
    """The draws that follow each of `words`, spaced so that a few of them never lie close.

    Source: the additive recurrence with the golden section (Weyl's sequence).
    """
    return words + numbers.astype(np.uint64) * _GOLDEN


class Skew:
    """Draws from 0 to `size` - 1 by a Zipf-Mandelbrot law: the first ones most often.

    The most frequent one comes `spread` times as often as the least, the density
    falls with 1 / (rank + size / spread).
    """

    def __init__(self, size: int, spread: int) -> None:
        self._last = size - 1
        parts = [((1 + spread) ** (k / LEVELS) - 1) / spread for k in range(LEVELS + 1)]
        knots = np.array([round(part * (size << 16)) for part in parts], dtype=np.uint64)
        self._starts, self._widths = knots[:-1], np.diff(knots)

    def pick(self, words: Words) -> Ints:
        """One number for each draw, by inversion of the distribution between its knots."""
        knot = words >> np.uint64(52)
        part = (words >> np.uint64(28)) & np.uint64(0xFFFFFF)
        value = self._starts[knot] + ((self._widths[knot] * part) >> np.uint64(24))
        picked: Ints = np.minimum((value >> np.uint64(16)).astype(np.int64), self._last)
        return picked
