"""Running a session to its end and writing what came out of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmtune.benchmark.evaluator import Evaluator
from llmtune.cli.bench import Bench
from llmtune.cli.notices import resume_command
from llmtune.cli.progress import Reporter
from llmtune.cli.session_progress import SessionProgress
from llmtune.errors import LLMTuneError
from llmtune.knobs.space import KnobSpace
from llmtune.report.chart import png, session_chart
from llmtune.report.curve import session_curve
from llmtune.report.export import conf
from llmtune.report.page import page
from llmtune.report.table import query_changes
from llmtune.report.wording import headline, provenance
from llmtune.tuning.assemble import assemble
from llmtune.tuning.circumstances import Circumstances
from llmtune.tuning.events import OnEvent
from llmtune.tuning.record import SessionRecord
from llmtune.tuning.reopen import check_queries
from llmtune.tuning.result import TuningResult
from llmtune.tuning.result_file import read_result, ready_folder, write_result
from llmtune.tuning.session import Outcome, TuningSession
from llmtune.tuning.store import SessionStore
from llmtune.tuning.stored import stored_outcome


def run_new(
    bench: Bench,
    benchmark: Evaluator,
    store: SessionStore,
    record: SessionRecord,
    reporter: Reporter,
) -> Outcome:
    """Run a new session from its record."""
    with _progress(benchmark, store, reporter) as on_event:
        circumstances = Circumstances(on_event, bench.restart_clock, bench.facts)
        return TuningSession.start(benchmark, store, record, circumstances).run()


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
        circumstances = Circumstances(on_event, bench.restart_clock, bench.facts)
        return TuningSession.resume(benchmark, store, session_id, circumstances, optimizer).run()


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
