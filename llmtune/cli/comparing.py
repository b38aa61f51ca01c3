"""Running the sessions of a comparison, each once, however often it is called."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmtune.cli.bench import Bench
from llmtune.cli.progress import Reporter
from llmtune.cli.proposals import proposals
from llmtune.cli.session_progress import session_progress
from llmtune.report.chart import comparison_chart, png
from llmtune.report.comparison import Arm, Run, band
from llmtune.report.curve import Axis, journal_curve
from llmtune.tuning.record import JournalEntry, Plan, Request, SessionRecord, SessionStatus
from llmtune.tuning.session import TuningSession, new_record
from llmtune.tuning.store import SessionStore, SessionSummary
from optimizers.registry import check_name

STORE_FILE = "sessions.db"


@dataclass(frozen=True, slots=True)
class ArmRequest:
    """One kind of session: an optimizer behind a warm start."""

    optimizer: str
    warm_start: str

    @property
    def label(self) -> str:
        """For charts and tables."""
        return f"{self.optimizer}, warm start {self.warm_start}"


def arms_of(optimizers: Sequence[str], warm_starts: Sequence[str]) -> list[ArmRequest]:
    """Every optimizer behind every warm start, each pair once; cold ones first.

    Raises:
        UnknownName: there is no such optimizer.
    """
    for name in optimizers:
        check_name(name)
    pairs = [(optimizer, warm) for warm in warm_starts for optimizer in optimizers]
    return [ArmRequest(*pair) for pair in dict.fromkeys(pairs)]


class Comparison:
    """Sessions of several arms over the same seeds on one bench."""

    def __init__(
        self, bench: Bench, out: Path, adapter: Path | None, trials: int, reporter: Reporter
    ) -> None:
        self._bench = bench
        self._out = out
        self._adapter = adapter
        self._plan = Plan(trials=trials)
        self._reporter = reporter
        self._store = SessionStore(f"sqlite:///{out / STORE_FILE}")
        self.arms: tuple[Arm, ...] = ()

    def run(self, requests: Sequence[ArmRequest], seeds: Iterable[int]) -> None:
        """Run what is missing: arms in turn within each seed, so that drift hits all alike."""
        runs: dict[ArmRequest, list[Run]] = {request: [] for request in requests}
        for seed in seeds:
            for request in requests:
                self._reporter.say(f"[bold]{request.label}[/bold], seed {seed}")
                record, journal = self._session(request, seed)
                runs[request].append(Run(seed, journal_curve(record, journal)))
        self.arms = tuple(Arm(request.label, tuple(made)) for request, made in runs.items())

    def write(self, facts: Mapping[str, Any]) -> None:
        """`comparison.json` and `curves.png`."""
        (self._out / "comparison.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
        drawn = [(arm.label, band(arm, Axis.TRIALS), band(arm, Axis.SECONDS)) for arm in self.arms]
        title = f"{self._bench.workload.name}, best so far (median over seeds)"
        chart = comparison_chart(drawn, self._bench.workload.objective, title)
        (self._out / "curves.png").write_bytes(png(chart))

    def _session(
        self, request: ArmRequest, seed: int
    ) -> tuple[SessionRecord, tuple[JournalEntry, ...]]:
        found = self._stored(request, seed)
        if found is not None and found.status is SessionStatus.FINISHED:
            return found.record, self._store.journal(found.record.id)
        benchmark, clock = self._bench.benchmark(), self._bench.restart_clock
        with session_progress(self._reporter, benchmark.objective.unit) as on_event:
            if found is not None:
                session = TuningSession.resume(
                    benchmark, self._store, found.record.id, on_event, clock
                )
            else:
                record = self._record(request, seed)
                session = TuningSession.start(benchmark, self._store, record, on_event, clock)
            return session.record, session.explore()

    def _stored(self, request: ArmRequest, seed: int) -> SessionSummary | None:
        for summary in self._store.sessions():
            record = summary.record
            same = (record.optimizer, record.warm_start, record.seed, record.workload)
            wanted = (request.optimizer, request.warm_start, seed, self._bench.workload.name)
            if same == wanted and record.plan == self._plan:
                return summary
        return None

    def _record(self, request: ArmRequest, seed: int) -> SessionRecord:
        made, suggest_s = proposals(
            request.warm_start, self._bench, self._adapter, seed, self._reporter
        )
        asked = Request(
            self._bench.target.name,
            self._bench.workload.name,
            request.optimizer,
            request.warm_start,
            seed,
            self._plan,
        )
        return new_record(self._bench.benchmark(), asked, made, suggest_s)
