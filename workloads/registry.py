"""Workloads by name, as the command line knows them."""

from __future__ import annotations

from collections.abc import Callable

from llmtune.errors import UnknownName
from workloads.tpch import tpch_workload
from workloads.workload import Workload

_WORKLOADS: dict[str, Callable[[float, int | None], Workload]] = {"tpch": tpch_workload}


def names() -> tuple[str, ...]:
    """Every name that `workload` accepts."""
    return tuple(_WORKLOADS)


def workload(name: str, scale: float, seed: int | None = None) -> Workload:
    """The workload `name` at `scale`, its parameters drawn from `seed` (None: fixed ones).

    Raises:
        UnknownName: no such workload.
        UsageError: `scale` is not a positive finite number.
    """
    if name not in _WORKLOADS:
        raise UnknownName("workload", name, names())
    return _WORKLOADS[name](scale, seed)
