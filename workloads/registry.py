"""Workloads by name, as the command line knows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llmtune.errors import UnknownName
from workloads.options import WorkloadOptions
from workloads.tpch import tpch_workload
from workloads.workload import AnyWorkload

Build = Callable[[WorkloadOptions], AnyWorkload]


@dataclass(frozen=True, slots=True)
class WorkloadEntry:
    """One workload that can be asked for by name.

    Attributes:
        summary: one line on what it runs.
        needs: one line on what it takes: data files, extensions, disk at scale 1.
        scale: the scale factor when none is given.
    """

    name: str
    summary: str
    needs: str
    scale: float
    build: Build


def _tpch(options: WorkloadOptions) -> AnyWorkload:
    return tpch_workload(TPCH.scale if options.scale is None else options.scale, options.seed)


TPCH = WorkloadEntry(
    name="tpch",
    summary="TPC-H: 22 decision support queries over eight tables",
    needs="nothing; the data is generated, 1.9 GB at scale 1",
    scale=0.1,
    build=_tpch,
)

_ENTRIES = {entry.name: entry for entry in (TPCH,)}


def entries() -> tuple[WorkloadEntry, ...]:
    """Every registered workload, in the order in which they are listed."""
    return tuple(_ENTRIES.values())


def names() -> tuple[str, ...]:
    """Every name that `workload` accepts."""
    return tuple(_ENTRIES)


def workload(name: str, options: WorkloadOptions | None = None) -> AnyWorkload:
    """The workload `name` with these options.

    Raises:
        UnknownName: no such workload.
        UsageError: an option that the workload refuses, such as a negative scale.
    """
    if name not in _ENTRIES:
        raise UnknownName("workload", name, names())
    return _ENTRIES[name].build(options or WorkloadOptions())
