"""Queries that are the user's own: where they come from, and whether they run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from rich.markup import escape

from llmtune.benchmark.check import CheckOptions, check_queries
from llmtune.benchmark.measure_options import MeasureOptions
from llmtune.cli.progress import Reporter
from llmtune.errors import UsageError
from llmtune.postgres.captured import captured_workload
from llmtune.postgres.target import Connection, Target
from workloads.options import WorkloadOptions
from workloads.workload import AnyWorkload, ExistingDatabase, Workload

CAPTURED = "captured"
THROW_AWAY = ("embedded", "docker")
TOLD_SKIPPED = 5
"""Heavy statements that are told of when they cannot be used."""


def check_data(target: str, wanted: str, data: object) -> None:
    """Refuse a throw-away server as the place of the user's own database.

    Args:
        wanted: the workload's name.
        data: its data set or existing database.

    Raises:
        UsageError: the target has no database of the user's.
    """
    if not isinstance(data, ExistingDatabase) or data.database is not None:
        return
    if target in THROW_AWAY:
        other = "" if wanted == CAPTURED else ", or generated data by --data-set, such as tpch"
        raise UsageError(
            f"{wanted} needs a database of yours, and the {target} server has none: name your "
            f"server by --target postgresql://...{other}"
        )


def captured(target: Target, options: WorkloadOptions, reporter: Reporter) -> Workload:
    """The heaviest statements of the target's database; what they lack is said."""
    with target.connect(options.database) as connection:
        found = captured_workload(connection, options)
    templates = len({query.template for query in found.workload.queries})
    reporter.say(
        f"Captured {templates} statements with {len(found.workload.queries)} sets of values."
    )
    for one in found.skipped[:TOLD_SKIPPED]:
        text = " ".join(one.sql.split())[:60]
        reporter.say(escape(f"  left out, {one.seconds:.3g} s so far: {text}: {one.reason}"))
    if len(found.skipped) > TOLD_SKIPPED:
        reporter.say(f"  left out as well: {len(found.skipped) - TOLD_SKIPPED} lighter ones")
    return found.workload


def tried(
    connection: Connection,
    wanted: AnyWorkload,
    options: WorkloadOptions,
    reporter: Reporter,
    *,
    measured: bool,
    proven: Collection[str] = (),
) -> AnyWorkload:
    """The workload once its queries are sure to run; those of our own making are.

    Args:
        measured: they will be run, so that each is tried once; else they are planned.
        proven: ids of those that an earlier try kept, where it is gone on with what it kept.

    Raises:
        QueryFailed: one does not run, and is not to be left out.
        UsageError: none is left.
    """
    own = isinstance(wanted.data_set, ExistingDatabase) or options.data_set is not None
    if not isinstance(wanted, Workload) or not (own or options.leave_out):
        return wanted
    limit = measure_options(options).query_timeout_s
    if options.leave_out:
        wanted = _as_before(wanted, proven, reporter)
    check = CheckOptions(
        limit if measured else None, options.leave_out, options.writes, frozenset(proven)
    )
    with reporter.bar("Trying the queries") as progress:
        checked = check_queries(connection, wanted, check, progress)
    for one in checked.left_out:
        reporter.say(escape(f"left out: {one.reason}"))
    return checked.workload


def _as_before(wanted: Workload, proven: Collection[str], reporter: Reporter) -> Workload:
    """Without what an earlier try left out: in time or not, it was not measured."""
    kept = tuple(query for query in wanted.queries if query.id in proven)
    if len(kept) in (0, len(wanted.queries)):
        return wanted
    left = ", ".join(query.id for query in wanted.queries if query.id not in proven)
    reporter.say(escape(f"left out, as before: {left}"))
    return replace(wanted, queries=kept)


def measure_options(options: WorkloadOptions) -> MeasureOptions:
    """How the workload's queries are measured."""
    measured = MeasureOptions(steady=not options.raw_times)
    if options.query_timeout_s is None:
        return measured
    return replace(measured, query_timeout_s=options.query_timeout_s)
