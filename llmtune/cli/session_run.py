"""Running a session to its end and writing what came out of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from llmtune.benchmark.evaluator import Evaluator
from llmtune.cli.bench import Bench
from llmtune.cli.notices import resume_command
from llmtune.cli.progress import Reporter
from llmtune.cli.session_progress import SessionProgress
from llmtune.errors import LLMTuneError, SessionError
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.live.address import without_secrets
from llmtune.report.chart import png, session_chart
from llmtune.report.curve import session_curve
from llmtune.report.export import conf
from llmtune.report.page import page
from llmtune.report.table import query_changes
from llmtune.report.wording import headline, provenance
from llmtune.tuning.assemble import assemble
from llmtune.tuning.events import OnEvent
from llmtune.tuning.record import SessionRecord
from llmtune.tuning.requests import RestartRequest, TargetRequest, WorkloadRequest
from llmtune.tuning.result import TuningResult
from llmtune.tuning.result_file import read_result, ready_folder, write_result
from llmtune.tuning.server_facts import Risks
from llmtune.tuning.session import Outcome, TuningSession
from llmtune.tuning.store import SessionStore
from llmtune.tuning.stored import stored_outcome
from llmtune.tuning.terms import QUERIES
from workloads.digest import digest
from workloads.entries import SQL_FILES
from workloads.options import WorkloadOptions
from workloads.registry import entry
from workloads.workload import AnyWorkload, Workload


def run_new(
    bench: Bench,
    benchmark: Evaluator,
    store: SessionStore,
    record: SessionRecord,
    reporter: Reporter,
) -> Outcome:
    """Run a new session from its record."""
    with _progress(benchmark, store, reporter) as on_event:
        session = TuningSession.start(
            benchmark, store, record, on_event, bench.restart_clock, bench.facts
        )
        return session.run()


def run_stored(
    bench: Bench,
    store: SessionStore,
    session_id: str,
    reporter: Reporter,
    optimizer: str | None = None,
) -> Outcome:
    """Go on with a stored session, by another optimizer if one is named.

    Raises:
        SessionError: it is finished, or the bench is not what it was started on.
    """
    check_queries(store.summary(session_id).record, bench.workload)
    benchmark = bench.benchmark()
    with _progress(benchmark, store, reporter) as on_event:
        session = TuningSession.resume(
            benchmark, store, session_id, on_event, bench.restart_clock, bench.facts, optimizer
        )
        return session.run()


@contextmanager
def _progress(benchmark: Evaluator, store: SessionStore, reporter: Reporter) -> Iterator[OnEvent]:
    resume = resume_command("{session}", store.name)
    with reporter.bar("Tuning") as advance:
        yield SessionProgress(reporter, advance, benchmark.objective.unit, resume)


def write_stored(out: Path, store: SessionStore, session_id: str) -> TuningResult:
    """As `finish`, for a session that is finished already, and from the store alone.

    Raises:
        SessionError: it has no answer; nothing is written.
        UsageError: the folder cannot be written.
    """
    outcome, space = stored_outcome(store, session_id)
    return _write(ready_folder(out), outcome, space, store.name)


def finish(out: Path, outcome: Outcome, bench: Bench, store: str) -> TuningResult:
    """Write `result.json`, `best.conf`, `report.html` and `curve.png` to the folder `out`.

    Args:
        store: the name of the session's.

    Raises:
        LLMTuneError: they cannot be written; the session store has every trial.
    """
    return _write(out, outcome, bench.space, store)


def _write(out: Path, outcome: Outcome, space: KnobSpace, store: str) -> TuningResult:
    result = assemble(outcome, space)
    try:
        _write_readable(out, outcome, space, result)
        write_result(out, result)  # the last, so that it stands for the others
    except (OSError, LLMTuneError) as error:
        again = resume_command(result.session, store)
        raise LLMTuneError(
            f"the session is done, but its result cannot be written: {error}; the session store "
            f"has every trial, and `{again}` writes it without another"
        ) from error
    return result


def written_in(out: Path) -> str | None:
    """The id of the session whose whole result the folder has; None: it has none."""
    try:
        return read_result(out).session
    except LLMTuneError:
        return None


def _write_readable(out: Path, outcome: Outcome, space: KnobSpace, result: TuningResult) -> None:
    said = headline(result)
    comment = provenance(result)
    (out / "best.conf").write_text(conf(result.knobs, comment), encoding="utf-8")
    best = outcome.confirmation.winner.configuration
    queries = query_changes(outcome.entries, space.baseline(), best)
    (out / "report.html").write_text(page(result, queries), encoding="utf-8")
    chart = session_chart(session_curve(result), said.title, result.baseline)
    (out / "curve.png").write_bytes(png(chart))


def check_queries(record: SessionRecord, present: AnyWorkload) -> None:
    """Make sure that a session goes on with the queries that it measured so far.

    Sessions from before the queries were kept, and those that watch traffic, do not
    say which they are.

    Raises:
        SessionError: they are others.
    """
    stored, now = record.origin.get(QUERIES), query_digest(present)
    if stored not in (None, now):
        raise SessionError(
            f"session {record.id} cannot go on: it measured other queries (digest {stored}) than "
            f"{present.name} has now ({now}), since a file was changed or others of them fail; "
            "put them back, or start a new session"
        )


def query_digest(measured: AnyWorkload) -> str | None:
    """Of a workload's queries; None: a transaction mix always is what its name says."""
    return digest(measured.queries) if isinstance(measured, Workload) else None


def origin_of(target: TargetRequest, workload: WorkloadRequest) -> dict[str, Any]:
    """The requests as JSON values for the store; a password is left out."""
    return {
        "target": without_secrets(target.target),
        "cores": target.cores,
        "memory": target.memory,
        "bindir": None if target.bindir is None else str(target.bindir.absolute()),
        "image": target.image,
        "restart": asdict(target.restart, dict_factory=_json_values),
        "workload": _from_anywhere(workload.name),
        **asdict(workload.options, dict_factory=_json_values),
    }


def _from_anywhere(workload: str) -> str:
    """The workload's name; the full path of files."""
    path = entry(workload) is SQL_FILES
    return str(Path(workload).absolute()) if path else workload


def _json_values(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: str(one.absolute()) if isinstance(one, Path) else one for name, one in pairs}


def risks_of(record: SessionRecord) -> Risks:
    """What the user accepted when the session was started."""
    return Risks(**record.origin.get("risks", {}))


def _restart(origin: Mapping[str, Any]) -> RestartRequest:
    """How the session's server may be restarted; older sessions could not say."""
    ways = dict(origin.get("restart", {}))
    if ways.get("pgdata") is not None:
        ways["pgdata"] = Path(ways["pgdata"])
    return RestartRequest(**ways)


def requests_of(record: SessionRecord) -> tuple[TargetRequest, WorkloadRequest]:
    """The requests that `origin_of` wrote into the record of a session of `llmtune tune`.

    Raises:
        SessionError: the session was not started by `llmtune tune`.
    """
    origin = record.origin
    if "out" not in origin:
        raise SessionError(
            f"session {record.id} was not started by `llmtune tune`; one of a comparison takes "
            "turns with the others: call the same `llmtune compare` again, with its --out"
        )
    try:
        bindir = None if origin["bindir"] is None else Path(origin["bindir"])
        target = TargetRequest(
            origin["target"],
            origin["cores"],
            origin["memory"],
            bindir,
            _restart(origin),
            origin.get("image"),  # sessions from before the docker target have none
        )
        # Sessions from before the pace was known measured raw times.
        told = {"raw_times": True, **origin}
        given = {one.name: told[one.name] for one in fields(WorkloadOptions)}
        given["data"] = None if given["data"] is None else Path(given["data"])
        return target, WorkloadRequest(origin["workload"], WorkloadOptions(**given))
    except KeyError as error:
        raise SessionError(
            f"session {record.id} does not say how to open its target again (no {error})"
        ) from error
