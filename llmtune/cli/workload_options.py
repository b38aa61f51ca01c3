"""From the command line's options to a workload's."""

from __future__ import annotations

from pathlib import Path

from llmtune.cli.bench import WorkloadRequest
from llmtune.units import parse_duration
from workloads.options import WorkloadOptions
from workloads.registry import check_options, entry


def workload_request(
    name: str,
    seed: int,
    *,
    scale: float | None = None,
    clients: int | None = None,
    duration: str | None = None,
    objective: str | None = None,
    data: Path | None = None,
    database: str | None = None,
    data_set: str | None = None,
    allow_writes: bool = False,
    query_timeout: str | None = None,
    queries: int | None = None,
    leave_out_failing: bool = False,
    drawn: bool = False,
) -> WorkloadRequest:
    """The workload that a command was asked for.

    The seed draws its queries, unless results are compared by its published ones.

    Raises:
        UsageError: an unknown workload, or an option that means nothing to it.
    """
    found = entry(name)
    options = WorkloadOptions(
        scale=scale,
        seed=seed if drawn or not found.published else None,
        clients=clients,
        duration_s=None if duration is None else parse_duration(duration),
        objective=objective,
        data=data,
        database=database,
        data_set=data_set,
        writes=allow_writes,
        leave_out=leave_out_failing,
        query_timeout_s=None if query_timeout is None else parse_duration(query_timeout),
        queries=queries,
    )
    check_options(found, name, options)
    return WorkloadRequest(name, options)
