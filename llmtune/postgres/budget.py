"""What a configuration gives the queries that run under it, in bytes and processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.plan_work import parallel_divisor
from llmtune.units import unit_factor

_SERVER_DEFAULTS: Mapping[str, float] = MappingProxyType(
    {
        "work_mem": 4 << 20,
        "hash_mem_multiplier": 2.0,
        "shared_buffers": 128 << 20,
        "effective_cache_size": 4 << 30,
        "max_parallel_workers": 8,
        "max_worker_processes": 8,
    }
)
"""For knobs outside the space: PostgreSQL's built-in defaults, in bytes and counts."""


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


def budget(configuration: Configuration, space: KnobSpace) -> Budget:
    """What `configuration` gives; a knob outside `space` stands at the server's default."""

    def number(name: str) -> float:
        if name not in space:
            return _SERVER_DEFAULTS[name]
        return float(configuration[name]) * unit_factor(space[name].unit)

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
