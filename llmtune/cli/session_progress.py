"""A session's progress on the terminal: one bar, and a line for what matters."""

from __future__ import annotations

from rich.markup import escape

from llmtune.cli.progress import Advance, Reporter
from llmtune.report.wording import trial_text
from llmtune.trial import Trial
from llmtune.tuning.events import (
    Event,
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

    def __init__(self, reporter: Reporter, advance: Advance, unit: str, resume: str) -> None:
        """Listen to one session.

        Args:
            unit: of the trials' values.
            resume: the command that goes on with it; `{session}` stands for its id.
        """
        self._reporter = reporter
        self._advance = advance
        self._unit = unit
        self._resume = resume
        self._done = 0
        self._phase = PhaseStarted(Phase.SEARCH, None, None)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case SessionStarted():
                more = f", {event.replayed} trials taken over" if event.replayed else ""
                self._reporter.say(f"Session [bold]{event.session_id}[/bold]{more}")
                self._done = event.replayed
            case SessionInterrupted():
                how = self._resume.replace("{session}", event.session_id)
                self._reporter.hint(escape(how))
            case PhaseStarted():
                self._done = self._done if event.phase is Phase.SEARCH else 0
                self._phase = event
            case TrialStarted():
                self._show(f"{TITLES[event.phase]}, trial {event.number} ({event.source})", 0.0)
            case TrialFinished():
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
        head = f"{TITLES[event.phase]:>8} {trial.number:>3}  {trial.source:<10}"
        self._reporter.say(f"{head} {self._value(trial)}{mark}")

    def _value(self, trial: Trial) -> str:
        if trial.value is None:
            reason = trial.message.partition("\n")[0]
            return f"[red]{trial.status.replace('_', ' ')}[/red] {escape(reason)}"
        return trial_text(trial, self._unit)
