"""The rule-based configuration: what an experienced hand sets before measuring.

The shares follow the PostgreSQL documentation's chapter on resource consumption
and the usual advice that goes with it. They see hardware and the number of clients,
not the workload: a baseline that a tuner has to beat, and can lose to the default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.memory import repair
from llmtune.knobs.space import KnobSpace, ResolvedKnob

MIB = 1 << 20
KIB = 1 << 10
BLOCK = 8 * KIB

FREE_SHARE = 0.75
"""Of memory, for sorts and hashes: what shared_buffers leaves."""

NODES = 4
"""Sorts and hashes that each process is reckoned to have under way at once."""

CAUTION = 2
"""By how much less each of them gets than that would leave it."""

LEAST_WORK_MEM = 4 * MIB
"""PostgreSQL's default."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the rules see."""

    hardware: Hardware
    clients: int

    @property
    def memory(self) -> int:
        """Bytes of memory of the server."""
        return self.hardware.memory

    @property
    def workers(self) -> int:
        """Parallel workers beside the leader that one query may have."""
        return max(1, self.hardware.cores // 2)

    @property
    def work_mem(self) -> float:
        """Bytes for one sort or hash: the free memory over all that may run at once."""
        at_once = self.clients * (1 + self.workers) * NODES
        return max(LEAST_WORK_MEM, FREE_SHARE * self.memory / at_once / CAUTION)


RULES: dict[str, Callable[[Situation], float]] = {
    "shared_buffers": lambda s: s.memory / 4 / BLOCK,
    "effective_cache_size": lambda s: s.memory * 0.75 / BLOCK,
    "work_mem": lambda s: s.work_mem / KIB,
    "maintenance_work_mem": lambda s: min(s.memory / 16, 2048 * MIB) / KIB,
    "max_worker_processes": lambda s: max(8, s.hardware.cores),
    "max_parallel_workers": lambda s: s.hardware.cores,
    "max_parallel_workers_per_gather": lambda s: s.workers,
    "max_parallel_maintenance_workers": lambda s: min(4, s.workers),
    "random_page_cost": lambda _: 1.1,
    "effective_io_concurrency": lambda _: 200,
    "default_statistics_target": lambda _: 500,
    "checkpoint_completion_target": lambda _: 0.9,
    "checkpoint_timeout": lambda _: 900,
    "min_wal_size": lambda s: min(1024, s.memory // 16 // MIB),
    "max_wal_size": lambda s: min(8192, s.memory // 4 // MIB),
    "wal_buffers": lambda _: 16 * MIB / BLOCK,
}
"""Values in pg_settings' own units, before they are fitted to the knob's bounds."""


def rule_configuration(space: KnobSpace, clients: int = 1) -> Configuration:
    """The rules' values for the knobs in `space`, all others at their default.

    The result is inside every knob's bounds and fits the server's memory.
    """
    situation = Situation(space.hardware, clients)
    changes = {
        name: _fitted(space[name], rule(situation)) for name, rule in RULES.items() if name in space
    }
    return repair(space.configuration(changes), space, clients)


def _fitted(knob: ResolvedKnob, value: float) -> Value:
    """`value` rounded to the knob's kind and moved inside its bounds."""
    return knob.rounded(min(max(value, knob.low), knob.high))
