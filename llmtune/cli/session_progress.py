"""A session's progress on the terminal: one bar, and a line for what matters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from llmtune.cli.progress import Advance, Reporter
from llmtune.report.wording import number_text
from llmtune.trial import Trial, TrialStatus
from llmtune.tuning.events import (
    Event,
    OnEvent,
    PhaseStarted,
    SessionInterrupted,
    SessionStarted,
    TrialFinished,
    TrialStarted,
)
from llmtune.tuning.record import Phase

TITLES = {
    Phase.SEARCH: "search",
    Phase.PRUNE: "minimise",
    Phase.CONFIRM: "confirm",
}


class SessionProgress:
    """Turns a session's events into a bar and lines."""

    def __init__(self, reporter: Reporter, advance: Advance, unit: str) -> None:
        self._reporter = reporter
        self._advance = advance
        self._unit = unit
        self._done = 0
        self._phase = PhaseStarted(Phase.SEARCH, None, None)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, SessionStarted):
            more = f", {event.replayed} trials taken over" if event.replayed else ""
            self._reporter.say(f"Session [bold]{event.session_id}[/bold]{more}")
        elif isinstance(event, SessionInterrupted):
            self._reporter.say(
                f"Interrupted; nothing measured is lost. Go on with: "
                f"[bold]llmtune resume {event.session_id}[/bold]"
            )
        elif isinstance(event, PhaseStarted):
            self._phase, self._done = event, 0
        elif isinstance(event, TrialStarted):
            self._show(f"{TITLES[event.phase]}, trial {event.number} ({event.source})", 0.0)
        elif isinstance(event, TrialFinished):
            self._done += 1
            self._say(event)
            self._show(TITLES[event.phase], event.elapsed_s)

    def _show(self, doing: str, elapsed_s: float) -> None:
        if self._phase.trials is not None:
            self._advance(doing, min(1.0, self._done / self._phase.trials))
        elif self._phase.seconds is not None and elapsed_s:
            self._advance(doing, min(1.0, elapsed_s / self._phase.seconds))

    def _say(self, event: TrialFinished) -> None:
        trial = event.trial
        mark = " [green]best so far[/green]" if trial is event.incumbent else ""
        line = (
            f"{TITLES[event.phase]:>8} {trial.number:>3}  {trial.source:<10} {self._value(trial)}"
        )
        self._reporter.say(line + mark)

    def _value(self, trial: Trial) -> str:
        status = trial.status.replace("_", " ")
        if trial.value is None:
            return f"[red]{status}[/red] {trial.message.splitlines()[0] if trial.message else ''}"
        value = f"{number_text(trial.value)} {self._unit}"
        return f"over {value}" if trial.status is TrialStatus.CAPPED else value


@contextmanager
def session_progress(reporter: Reporter, unit: str) -> Iterator[OnEvent]:
    """A listener for a session, with its bar."""
    with reporter.bar("Tuning") as advance:
        yield SessionProgress(reporter, advance, unit)
