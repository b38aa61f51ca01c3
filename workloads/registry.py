"""Workloads by name, as the command line knows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from llmtune.errors import UnknownName, UsageError
from workloads.options import WorkloadOptions
from workloads.sqlfiles import is_sql_path, sqlfiles_workload
from workloads.tpch import tpch_workload
from workloads.workload import AnyWorkload, DataSet, ExistingDatabase

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
    """The workload `name`, or that of a `.sql` file or folder, with these options.

    Raises:
        UnknownName: no such workload.
        UsageError: an option that the workload refuses, such as a negative scale.
    """
    options = options or WorkloadOptions()
    if name in _ENTRIES:
        return _ENTRIES[name].build(options)
    if is_sql_path(name):
        return sqlfiles_workload(Path(name), options, _data_set(options))
    raise UnknownName("workload", name, names())


def _data_set(options: WorkloadOptions) -> DataSet | None:
    """The data of the registered workload that the options name; None when they name none."""
    if options.data_set is None:
        return None
    if options.data_set not in _ENTRIES:
        raise UnknownName("data set", options.data_set, names())
    if options.database is not None:
        raise UsageError("name a data set or a database for the queries, not both")
    found = workload(options.data_set, replace(options, data_set=None)).data_set
    if isinstance(found, ExistingDatabase):
        raise UsageError(f"{options.data_set} has no data set of its own")
    return found
