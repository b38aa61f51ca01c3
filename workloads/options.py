"""What a user may say about a workload beyond its name."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from llmtune.errors import UsageError


@dataclass(frozen=True, slots=True)
class WorkloadOptions:
    """Options of a workload; None leaves the choice to the workload.

    Attributes:
        scale: the data set's scale factor; what 1 means is the workload's to say.
        seed: draws query parameters and generated data; None means fixed ones.
        clients: connections that run the workload at once.
        duration_s: seconds that one timed run of a transaction mix lasts.
        objective: the name of what is tuned for, such as `throughput`.
        data: a folder, archive or file with the user's own copy of the data or queries.
        database: the database that holds the data already, where nothing is to be loaded.
        data_set: the registered workload over whose data the user's own queries run.
        writes: statements that change data may run, each in a rolled back transaction.
        leave_out: queries that fail or do not end are left out, not an error.
        query_timeout_s: limit for one query, seconds.
        queries: how many are synthesized.
        raw_times: the machine's changing pace is left in the queries' times.
    """

    scale: float | None = None
    seed: int | None = None
    clients: int | None = None
    duration_s: float | None = None
    objective: str | None = None
    data: Path | None = None
    database: str | None = None
    data_set: str | None = None
    writes: bool = False
    leave_out: bool = False
    query_timeout_s: float | None = None
    queries: int | None = None
    raw_times: bool = False


def check_scale(scale: float) -> float:
    """The scale factor itself.

    Raises:
        UsageError: it is not a positive finite number.
    """
    if not (scale > 0 and isfinite(scale)):
        raise UsageError(f"the scale factor must be a positive number, not {scale}")
    return scale
