"""Running the sessions of a comparison, each once, however often it is called."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmtune.cli.bench import Bench
from llmtune.cli.progress import Advance, Reporter
from llmtune.cli.session_progress import SessionProgress
from llmtune.cli.warm_start import WarmStart, proposals
from llmtune.report.chart import comparison_chart, png
from llmtune.report.comparison import Arm, Run, band
from llmtune.report.comparison_table import (
    ArmFigures,
    comparison_facts,
    comparison_figures,
)
from llmtune.report.curve import Axis, journal_curve
from llmtune.tuning.record import Plan, Request, SessionRecord, SessionStatus
from llmtune.tuning.session import TuningSession, new_record
from llmtune.tuning.store import SessionStore, SessionSummary
from optimizers.registry import check_name

STORE_FILE = "sessions.db"


@dataclass(frozen=True, slots=True)
class ArmRequest:
    """One kind of session: an optimizer behind a warm start."""

    optimizer: str
    warm_start: WarmStart

    @property
    def label(self) -> str:
        """For charts and tables."""
        return f"{self.optimizer}, warm start {self.warm_start.source}"


def arms_of(optimizers: Iterable[str], warm_starts: Iterable[WarmStart]) -> list[ArmRequest]:
    """Every optimizer, once, behind every warm start, in the warm starts' order.

    Raises:
        UnknownName: there is no such optimizer.
    """
    names = list(dict.fromkeys(optimizers))
    for name in names:
        check_name(name)
    return [ArmRequest(name, warm_start) for warm_start in warm_starts for name in names]


class Comparison:
    """Sessions of several arms over the same seeds on one bench."""

    def __init__(
        self, bench: Bench, out: Path, origin: Mapping[str, Any], plan: Plan, reporter: Reporter
    ) -> None:
        """Open the folder's session store.

        Args:
            origin: what the bench was opened with, as JSON values; a stored session
                of another origin is none of this comparison's.
        """
        self._bench = bench
        self._benchmark = bench.benchmark()
        self._out = out
        self._origin = origin
        self._plan = plan
        self._reporter = reporter
        self._store = SessionStore(f"sqlite:///{out / STORE_FILE}")
        self._arms: tuple[Arm, ...] = ()

    def run(self, arms: Sequence[ArmRequest], seeds: Sequence[int]) -> None:
        """Run what is missing: arms in turn within each seed, so that drift hits all alike."""
        pairs = [(arm, seed) for seed in seeds for arm in arms]
        missing = [pair for pair in pairs if self._finished(*pair) is None]
        if len(missing) < len(pairs):
            self._reporter.say(f"{len(pairs) - len(missing)} sessions are done already")
        with self._reporter.bar("Comparing") as advance:
            for number, (arm, seed) in enumerate(missing):
                self._reporter.say(f"[bold]{arm.label}[/bold], seed {seed}")
                self._explore(arm, seed, _part(advance, number, len(missing)))
        self._arms = tuple(Arm(arm.label, self._runs(arm, seeds)) for arm in arms)

    def write(self) -> tuple[ArmFigures, ...]:
        """Write `comparison.json` and `curves.png`, and return the figures."""
        figures = comparison_figures(self._arms)
        text = json.dumps(comparison_facts(figures), indent=2, allow_nan=False)
        (self._out / "comparison.json").write_text(text + "\n", "utf-8")
        drawn = [(arm.label, band(arm, Axis.TRIALS), band(arm, Axis.SECONDS)) for arm in self._arms]
        title = f"{self._bench.workload.name}, best so far (median over seeds)"
        chart = comparison_chart(drawn, self._bench.workload.objective, title)
        (self._out / "curves.png").write_bytes(png(chart))
        return figures

    def _runs(self, arm: ArmRequest, seeds: Iterable[int]) -> tuple[Run, ...]:
        found = [(seed, self._finished(arm, seed)) for seed in seeds]
        return tuple(
            Run(seed, journal_curve(one.record, self._store.journal(one.record.id)))
            for seed, one in found
            if one is not None
        )

    def _explore(self, arm: ArmRequest, seed: int, advance: Advance) -> None:
        """Run one session's search, from where an earlier call left it."""
        facts = self._bench.facts
        on_event = SessionProgress(
            self._reporter,
            advance,
            self._benchmark.objective.unit,
            "the same `llmtune compare`",
        )
        clock, found = self._bench.restart_clock, self._stored(arm, seed)
        if found is None:
            record = self._record(arm, seed)
            session = TuningSession.start(
                self._benchmark, self._store, record, on_event, clock, facts
            )
        else:
            session_id = found.record.id
            session = TuningSession.resume(
                self._benchmark, self._store, session_id, on_event, clock, facts
            )
        session.explore()

    def _finished(self, arm: ArmRequest, seed: int) -> SessionSummary | None:
        found = self._stored(arm, seed)
        return found if found and found.status is SessionStatus.FINISHED else None

    def _stored(self, arm: ArmRequest, seed: int) -> SessionSummary | None:
        """The session that was asked for in the same words on the same server, if any."""
        wanted = self._terms(new_record(self._benchmark, self._request(arm, seed)))
        return next((s for s in self._store.sessions() if self._terms(s.record) == wanted), None)

    def _terms(self, record: SessionRecord) -> dict[str, Any]:
        """All facts but those that differ from session to session."""
        facts = record.facts()
        for name in ("proposals", "suggest_s", "code_version"):
            del facts[name]
        return {**facts, "target": record.target, "workload": record.workload}

    def _record(self, arm: ArmRequest, seed: int) -> SessionRecord:
        made = proposals(arm.warm_start, self._bench, seed, self._reporter)
        return new_record(self._benchmark, self._request(arm, seed), *made)

    def _request(self, arm: ArmRequest, seed: int) -> Request:
        return Request(
            self._bench.target.name,
            self._bench.workload.name,
            arm.optimizer,
            arm.warm_start.source,
            seed,
            self._plan,
            {**self._origin, **arm.warm_start.identity},
        )


def _part(advance: Advance, number: int, count: int) -> Advance:
    """The progress of one of `count` equal parts as that of the whole."""

    def advance_whole(doing: str, fraction: float) -> None:
        advance(f"session {number + 1} of {count}, {doing}", (number + fraction) / count)

    return advance_whole
