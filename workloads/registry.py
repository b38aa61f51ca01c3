"""Workloads by name, as the command line knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

from llmtune.errors import UnknownName, UsageError
from workloads.entries import ENTRIES, SQL_FILES, WorkloadEntry
from workloads.objective import LATENCY
from workloads.options import WorkloadOptions
from workloads.workload import AnyWorkload, DataSet, ExistingDatabase

FLAGS: Mapping[str, str] = {
    "scale": "--scale",
    "clients": "--clients",
    "duration_s": "--duration",
    "objective": "--objective",
    "data": "--data",
    "database": "--database",
    "data_set": "--data-set",
    "writes": "--allow-writes",
    "leave_out": "--leave-out-failing",
    "query_timeout_s": "--query-timeout",
    "queries": "--queries",
    "raw_times": "--raw-times",
}
"""Field of `WorkloadOptions` to the option that sets it."""

DRAWN = "--drawn"
"""The option that gives published queries' place to ones drawn by the seed."""

_ENTRIES = {entry.name: entry for entry in ENTRIES}


def entries() -> tuple[WorkloadEntry, ...]:
    """Every registered workload, in the order in which they are listed."""
    return tuple(_ENTRIES.values())


def names() -> tuple[str, ...]:
    """Every name that `entry` accepts, beside paths of `.sql` files and folders."""
    return tuple(_ENTRIES)


def entry(name: str) -> WorkloadEntry:
    """What is registered under a name, or stands for a path to SQL files.

    Raises:
        UnknownName: no such workload.
    """
    from workloads.sqlfiles import is_sql_path

    if name in _ENTRIES:
        return _ENTRIES[name]
    if is_sql_path(name):
        return SQL_FILES
    raise UnknownName("workload", name, names())


def is_live(name: str) -> bool:
    """Whether only a running server can tell the workload of this name.

    Raises:
        UnknownName: no such workload.
    """
    found = entry(name)
    return found.build is None and found is not SQL_FILES


def workload(name: str, options: WorkloadOptions | None = None) -> AnyWorkload:
    """The workload `name`, or that of a `.sql` file or folder, with these options.

    Raises:
        UnknownName: no such workload.
        UsageError: an option that the workload refuses, such as a negative scale, or a
            workload that only a running server can tell.
    """
    options = options or WorkloadOptions()
    found = entry(name)
    check_options(found, name, options)
    if found is SQL_FILES:
        from workloads.sqlfiles import sqlfiles_workload

        return sqlfiles_workload(Path(name), options, data_set(options))
    if found.build is None:
        raise UsageError(f"the workload {name} is made from a running server's database")
    return found.build(options)


def data_set(options: WorkloadOptions) -> DataSet | None:
    """The data of the registered workload that the options name; None when they name none.

    Raises:
        UnknownName: no workload of that name brings data.
        UsageError: a database is named too, or a scale without a data set.
    """
    if options.data_set is None:
        if options.scale is not None:
            raise UsageError("--scale says how large --data-set is; name one")
        return None
    with_data = [entry.name for entry in ENTRIES if entry.build is not None]
    if options.data_set not in with_data:
        raise UnknownName("data set", options.data_set, with_data)
    if options.database is not None:
        raise UsageError("name a data set or a database for the queries, not both")
    found = workload(options.data_set, WorkloadOptions(scale=options.scale)).data_set
    if isinstance(found, ExistingDatabase):
        raise UsageError(f"{options.data_set} has no data set of its own")
    return found


def check_options(found: WorkloadEntry, name: str, options: WorkloadOptions) -> None:
    """Refuse options that mean nothing to a workload.

    Raises:
        UsageError: there is one; it and the workload are named.
    """
    if "objective" not in found.takes and options.objective == LATENCY.name:
        options = replace(options, objective=None)
    default = WorkloadOptions()
    for field in fields(options):
        given = getattr(options, field.name) != getattr(default, field.name)
        if given and field.name in FLAGS and field.name not in found.takes:
            raise meaningless(FLAGS[field.name], found, name)


def flags(found: WorkloadEntry) -> tuple[str, ...]:
    """The options that mean something to a workload, as users write them."""
    drawn = (DRAWN,) if found.published else ()
    return (*(FLAGS[field] for field in found.takes), *drawn)


def meaningless(flag: str, found: WorkloadEntry, name: str) -> UsageError:
    """What to raise for an option that is none of the workload's `flags`."""
    takes = ", ".join(flags(found))
    return UsageError(f"{flag} means nothing to the workload {name}; it takes {takes}")
