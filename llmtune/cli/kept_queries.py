"""Which queries a session measures; those that only a server can tell are kept in a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.markup import escape

from llmtune.cli.bench import Bench
from llmtune.cli.progress import Reporter
from llmtune.errors import UsageError
from llmtune.tuning.requests import WorkloadRequest
from workloads.digest import named
from workloads.registry import is_live, workload
from workloads.sqlfiles import sql_text
from workloads.workload import AnyWorkload


def kept_request(
    request: WorkloadRequest, out: Path, database: str | None = None, stem: str | None = None
) -> WorkloadRequest:
    """The request with which a session finds its queries again; the same one for most.

    A database goes on counting statements, and its statistics change: what was
    captured or synthesized is kept in `out`, by `keep_queries`.

    Args:
        database: in which they run, once that is known.
        stem: of the file's name; None: of the one that all calls with the folder share.
    """
    if not is_live(request.name):
        return request
    options = replace(request.options, data=None, queries=None)
    if database is not None and options.data_set is None:
        options = replace(options, database=database)
    return WorkloadRequest(str(out / f"{stem or request.name}.sql"), options)


def found_again(asked: WorkloadRequest, out: Path, reporter: Reporter) -> WorkloadRequest:
    """The request to open; its queries are those that an earlier call kept in the folder.

    A database goes on counting statements, and what was captured would be others each time.
    """
    kept = kept_request(asked, out)
    if kept is asked or not Path(kept.name).exists():
        return asked
    where = escape(kept.name)
    reporter.say(f"Continuing with the queries in {where}; for new ones, name another --out")
    return kept


def kept_bench(
    request: WorkloadRequest, out: Path, bench: Bench, *, alone: bool = False
) -> tuple[WorkloadRequest, Bench]:
    """The request that finds the bench's queries again, and the bench as it will find them.

    Args:
        request: as the user asked.
        alone: for one session, in a file that no other writes. Else the folder has one file:
            where it is there, `found_again` let the bench be opened with it.

    Raises:
        UsageError: as `keep_queries`.
    """
    stem = named(bench.workload.name, bench.workload.queries) if alone else None
    kept = kept_request(request, out, bench.database, stem)
    if kept is request or (not alone and Path(kept.name).exists()):
        return kept, bench
    return kept, replace(bench, workload=keep_queries(kept, bench))


def keep_queries(kept: WorkloadRequest, bench: Bench) -> AnyWorkload:
    """Write the bench's queries to the file of `kept_request`, and read them back.

    A file does not keep the comments around a statement, nor that a function in it turned out
    to write when it was tried; the latter they still have.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        Path(kept.name).write_text(sql_text(bench.workload.queries), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the queries cannot be kept in {kept.name}: {error.strerror}; name another --out"
        ) from error
    read = workload(kept.name, kept.options)
    writing = {query.id for query in bench.workload.queries if query.writes}
    return replace(
        read,
        queries=tuple(
            replace(query, writes=query.writes or query.id in writing) for query in read.queries
        ),
    )
