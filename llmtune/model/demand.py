"""Memory demands as the model reads them: the lowest work_mem level that meets them."""

from __future__ import annotations

from functools import lru_cache

from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.levels import DEFAULT_LABEL, LevelCodec
from llmtune.knobs.space import resolve_space

MET = "ok"
"""The word for a demand that the default meets."""
OVER = "over"
"""The word for a demand that no level meets."""

_KNOB = "work_mem"
_HASH_SHARE = 2.0
"""A hash may take `hash_mem_multiplier` times work_mem: 2 by default since
version 15, and taken as 2 for version 14 too, so that a word has one meaning."""


class DemandWords:
    """Says sizes in the labels that the model answers with, which saves it the arithmetic."""

    def __init__(self, version: int, hardware: Hardware) -> None:
        self.memory = hardware.memory
        space = resolve_space(load_catalogue(), version, hardware, names=[_KNOB])
        codec = LevelCodec(space)
        labels = (label for label in codec.labels(_KNOB) if label != DEFAULT_LABEL)
        self._limits = tuple((label, _bytes(codec.value(_KNOB, label))) for label in labels)
        self._default = _bytes(space.default()[_KNOB])

    def sort(self, size: float) -> str:
        """The word for a sort of `size` bytes."""
        if size <= self._default:
            return MET
        return next((label for label, limit in self._limits if size <= limit), OVER)

    def hash(self, size: float) -> str:
        """The word for a hash table of `size` bytes."""
        return self.sort(size / _HASH_SHARE)


@lru_cache(maxsize=64)
def demand_words(version: int, hardware: Hardware) -> DemandWords:
    """The words for one server version and hardware."""
    return DemandWords(version, hardware)


def _bytes(kilobytes: object) -> int:
    return int(str(kilobytes)) << 10
