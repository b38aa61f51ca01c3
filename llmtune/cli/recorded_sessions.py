"""The sessions of a comparison on a recorded benchmark, several at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context

from llmtune.benchmark.recorded import RecordedEvaluator
from llmtune.benchmark.recording import Recording
from llmtune.cli.comparison_sessions import ArmRequest, Sessions
from llmtune.report.comparable import arm_label
from llmtune.tuning.origin import Origin
from llmtune.tuning.record import JournalEntry, SessionRecord
from llmtune.tuning.session import TuningSession
from llmtune.tuning.store import SessionStore

RECORDED = "recorded"
"""The target's name in the sessions that no server ever saw."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def recording_origin(recording: Recording) -> Origin:
    """What tells this recording from any other."""
    times = hashlib.sha256(recording.seconds.tobytes()).hexdigest()
    return Origin(recording=(recording.name, times))


def run_recorded(
    sessions: Sessions,
    evaluator: RecordedEvaluator,
    arms: Sequence[ArmRequest],
    seeds: Sequence[int],
    jobs: int,
) -> None:
    """Run what is missing in `jobs` processes; what they measure does not depend on how many.

    A session is stored when it is done; one under way when the command is killed is run
    again, which takes seconds.
    """
    missing = sessions.missing(arms, seeds)
    if not missing:
        return
    with (
        sessions.reporter.resumable("the same `llmtune compare`"),
        sessions.reporter.bar("Comparing") as advance,
    ):
        records = [sessions.record(arm, seed) for arm, seed in missing]
        with (
            one_thread(),
            ProcessPoolExecutor(
                min(jobs, len(missing)), get_context("spawn"), _prepare, (evaluator,)
            ) as pool,
        ):
            try:
                explored = [pool.submit(_explored, record) for record in records]
                for done, future in enumerate(as_completed(explored), 1):
                    record, journal = future.result()
                    sessions.store.keep(record, journal)
                    arm = arm_label(record.optimizer, record.warm_start)
                    advance(f"{arm}, seed {record.seed}", done / len(missing))
            finally:  # whatever stopped it, sessions that have not begun are not run any more
                pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let processes that are started inside do their sums in one thread: they are many.

    One always, also in a single process: the last digits of a sum, and with them what an
    optimizer asks, may depend on how many threads make it. A process has to find this when
    it starts, for libraries look once, when they are loaded.
    """
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_worker: dict[str, RecordedEvaluator] = {}


def _prepare(evaluator: RecordedEvaluator) -> None:
    """Give a worker what it measures with."""
    _worker["evaluator"] = evaluator


def _explored(record: SessionRecord) -> tuple[SessionRecord, tuple[JournalEntry, ...]]:
    """One session from beginning to end, in a store of its own in memory."""
    evaluator = _worker["evaluator"].with_seed(record.seed)
    return record, TuningSession.start(evaluator, SessionStore("sqlite://"), record).explore()
