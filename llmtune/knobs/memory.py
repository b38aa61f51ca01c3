"""The joint memory constraint: what a configuration can come to use, and its repair."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.resolved import ResolvedKnob, readable
from llmtune.knobs.space import KnobSpace

BUSY_NODES = 2
"""Sorts and hashes of one process that are full at the same time. A plan may
have more, but they seldom are: a hash join's build side is complete before the
sort above it starts. Counting every node would leave one session on a small
server hardly more than the default."""

PROCESS_BYTES = 8 << 20
"""What a server process takes besides the memory that knobs govern."""

BUDGET_SHARE = 0.9
"""Of the server's memory; the rest is left to the kernel and the page cache."""

_HASHES = "hash_mem_multiplier"
_AUTOVACUUM = "autovacuum_work_mem"
_WAL_SEGMENT = 16 << 20
_BLOCK = 8 << 10


def memory_demand(configuration: Configuration, space: KnobSpace, clients: int = 1) -> int:
    """Bytes that the server can come to use when all its `clients` work at once.

    Shared buffers and log buffers; for each process that runs queries (parallel
    workers included) its sorts and hashes; each session's temporary buffers;
    one large maintenance operation; and a base for each process that runs queries.
    The server's own helpers live on what the budget leaves. Knobs outside the space
    count with what the server has without us. On a running server that others use,
    every autovacuum worker may do such an operation too, in `autovacuum_work_mem`
    where that is set.

    Args:
        clients: sessions that run queries at the same time.
    """
    return _demand({**space.surroundings, **configuration}, clients, _cleaned(space))


def memory_budget(space: KnobSpace, clients: int = 1) -> int:
    """Bytes that a configuration may demand.

    Never less than the baseline demands: a server that is there runs on it.
    """
    share = int(space.hardware.memory * BUDGET_SHARE)
    return max(share, memory_demand(space.baseline(), space, clients))


def fits(configuration: Configuration, space: KnobSpace, clients: int = 1) -> bool:
    """Whether the server's memory suffices for the configuration at its worst."""
    return memory_demand(configuration, space, clients) <= memory_budget(space, clients)


def repair(configuration: Configuration, space: KnobSpace, clients: int = 1) -> Configuration:
    """The configuration, with its memory knobs shrunk until it fits.

    The greediest give way first: no consumer may have more than a cap, and the
    cap is the largest under which all fit together; only if that cannot do,
    hashes lose their multiple of work_mem too. A configuration that fits comes
    back as it is, and other knobs are never touched: if the processes alone are
    too many for the memory, the result has the least amounts and does not fit.
    """
    if fits(configuration, space, clients):
        return configuration
    values = {**space.surroundings, **configuration}
    shrunk = _shrink(values, space, clients)
    if (
        _demand(shrunk, clients, _cleaned(space)) > memory_budget(space, clients)
        and _HASHES in space
    ):
        shrunk = _shrink({**values, _HASHES: space[_HASHES].low}, space, clients)
    return space.configuration({name: shrunk[name] for name in configuration})


def _shrink(values: Mapping[str, Value], space: KnobSpace, clients: int) -> dict[str, Value]:
    """The values under the largest cap on each consumer's bytes that fits the budget."""
    budget = memory_budget(space, clients)
    low, high = 0, space.hardware.memory
    while high - low > _BLOCK:
        cap = (low + high) // 2
        if _demand(_capped(values, space, cap, clients), clients, _cleaned(space)) <= budget:
            low = cap
        else:
            high = cap
    return _capped(values, space, low, clients)


def _cleaned(space: KnobSpace) -> bool:
    """Whether autovacuum is at work beside us: a throw-away server's data hardly change."""
    return space.present is not None


def _demand(values: Mapping[str, Value], clients: int, cleaned: bool) -> int:
    wal = _number(values, "wal_buffers") * _BLOCK
    shared = _number(values, "shared_buffers") * _BLOCK
    if wal < 0:  # the server then takes a share of shared_buffers, one log file at most
        wal = min(shared / 32, _WAL_SEGMENT)
    governed = sum(
        _number(values, name) * unit * count
        for name, unit, count in _consumers(values, clients, cleaned)
    )
    return int(governed + wal + _processes(values, clients) * PROCESS_BYTES)


def _consumers(
    values: Mapping[str, Value],
    clients: int,
    cleaned: bool,
) -> Iterator[tuple[str, int, float]]:
    """Knob, bytes of its unit, and how many times its amount may be taken at once."""
    yield "shared_buffers", _BLOCK, 1
    hashes = _number(values, _HASHES)
    yield "work_mem", 1 << 10, _processes(values, clients) * BUSY_NODES * hashes
    yield "temp_buffers", _BLOCK, clients
    workers = _number(values, "autovacuum_max_workers") if cleaned else 0
    own = _number(values, _AUTOVACUUM) if _AUTOVACUUM in values else -1
    yield "maintenance_work_mem", 1 << 10, 1 + (workers if own < 0 else 0)
    if own >= 0:  # the workers then take no notice of maintenance_work_mem
        yield _AUTOVACUUM, 1 << 10, workers


def _processes(values: Mapping[str, Value], clients: int) -> float:
    """Processes that run queries: the clients' own and the parallel workers' pool."""
    pool = min(_number(values, "max_parallel_workers"), _number(values, "max_worker_processes"))
    return clients + min(clients * _number(values, "max_parallel_workers_per_gather"), pool)


def _capped(
    values: Mapping[str, Value], space: KnobSpace, cap: int, clients: int
) -> dict[str, Value]:
    """The values with no consumer above `cap` bytes, as far as their bounds allow."""
    changed = dict(values)
    for name, unit, count in _consumers(values, clients, _cleaned(space)):
        if name in space:
            changed[name] = _at_most(space[name], values[name], cap / (unit * count))
    if "wal_buffers" in space:
        changed["wal_buffers"] = _at_most(space["wal_buffers"], values["wal_buffers"], cap / _BLOCK)
    return changed


def _at_most(knob: ResolvedKnob, value: Value, limit: float) -> Value:
    """`value`, or if that is more than `limit`, the limit rounded down to a readable value.

    The default may lie off the scale, and between the two nothing is allowed.
    """
    if isinstance(value, str) or value <= limit or value in knob.specials:
        return value
    number = readable(math.floor(limit * 31 / 32), knob.knob)
    if number >= knob.low:
        return int(min(number, knob.high))
    return int(min(number for number in (knob.low, knob.default, value) if float(number) > 0))


def _number(values: Mapping[str, Value], name: str) -> float:
    return float(values[name])
