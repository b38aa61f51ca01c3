"""What a configuration gives the queries that run under it, in bytes and processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.plan_work import parallel_divisor
from llmtune.units import unit_factor

_UNITS: Mapping[str, str | None] = MappingProxyType(
    {
        "work_mem": "kB",
        "hash_mem_multiplier": None,
        "shared_buffers": "8kB",
        "effective_cache_size": "8kB",
        "max_parallel_workers": None,
        "max_worker_processes": None,
    }
)
"""The settings that the budget is made of, with `pg_settings`' own units."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What plans can count on.

    Attributes:
        sort_memory: bytes that a sort may take in one process before it spills.
        hash_memory: bytes that a hash table may take in one process.
        workers: the most that the server can start for one query.
    """

    sort_memory: float
    hash_memory: float
    shared_buffers: float
    effective_cache: float
    workers: int
    cores: int
    memory: int

    def speedup(self, planned: int) -> float:
        """By how much the processes of a Gather shorten the work that they share."""
        started = min(planned, self.workers)
        return max(1.0, min(parallel_divisor(started), float(self.cores)))

    def crowding(self, planned: int) -> float:
        """How many processes of a Gather, its leader among them, there are for a core."""
        return max(1.0, (1 + min(planned, self.workers)) / self.cores)


def budget(configuration: Configuration, space: KnobSpace) -> Budget:
    """What `configuration` gives; a knob outside `space` has what the server has without us."""

    def number(name: str) -> float:
        value = configuration.get(name, space.surroundings[name])
        return float(value) * unit_factor(_UNITS[name])

    work_mem = number("work_mem")
    return Budget(
        sort_memory=work_mem,
        hash_memory=work_mem * number("hash_mem_multiplier"),
        shared_buffers=number("shared_buffers"),
        effective_cache=number("effective_cache_size"),
        workers=int(min(number("max_parallel_workers"), number("max_worker_processes"))),
        cores=space.hardware.cores,
        memory=space.hardware.memory,
    )
