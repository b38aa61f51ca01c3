"""The `synthesized` workload: new queries over the user's database or a known data set."""

from __future__ import annotations

from rich.markup import escape

from llmtune.cli.progress import Reporter
from llmtune.postgres.synthesis import Limits, synthesize
from llmtune.postgres.target import Connection
from workloads.options import WorkloadOptions
from workloads.registry import data_set
from workloads.workload import DataSet, ExistingDatabase, Workload

QUERIES = 30
"""When their number is not given."""


def live_data(options: WorkloadOptions) -> DataSet | ExistingDatabase:
    """What a workload that only a server can tell runs over.

    Raises:
        UsageError: the options' data set is unknown, or does not go with the others.
    """
    return data_set(options) or ExistingDatabase(database=options.database)


def synthesized(
    connection: Connection,
    data: DataSet | ExistingDatabase,
    options: WorkloadOptions,
    reporter: Reporter,
) -> Workload:
    """New queries over the connection's database; what became of the draws is said."""
    wanted = QUERIES if options.queries is None else options.queries
    limits = Limits() if options.query_timeout_s is None else Limits(options.query_timeout_s)
    with reporter.bar("Synthesizing") as progress:
        made = synthesize(connection, data, wanted, options.seed or 0, limits, progress)
    kept = len(made.workload.queries)
    dropped = ", ".join(f"{count} with {reason}" for reason, count in made.dropped.items())
    reporter.say(
        escape(f"Synthesized {kept} queries" + (f"; dropped {dropped}" if dropped else ""))
    )
    if kept < wanted:
        reporter.say(f"The schema gave no more than {kept} of the {wanted} wanted.")
    return made.workload
