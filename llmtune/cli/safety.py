"""Around every command that changes a server which outlives it: lock, journal, put back."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import typer
from rich.markup import escape

from llmtune.cli.notices import (
    due_notice,
    restore_command,
    restored_notice,
    resume_command,
    waiting_notice,
)
from llmtune.cli.progress import Reporter
from llmtune.errors import LLMTuneError, SessionError, TargetError
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.live.unloaded import unloaded_text
from llmtune.postgres.originals import Journal, ServerIdentity, read_identity
from llmtune.postgres.session import loss_is_failure
from llmtune.postgres.settings import SettingsApplier
from llmtune.postgres.target import Target
from llmtune.postgres.tuner_lock import TunerLock
from llmtune.tuning.new_record import new_id
from llmtune.tuning.restore import restore
from llmtune.tuning.restore_points import (
    PointState,
    RestorePoint,
    RestorePoints,
    TargetJournal,
)
from llmtune.tuning.server_facts import NO_RISKS, Risks


@dataclass(frozen=True, slots=True)
class Safety:
    """How one run treats a server that is not ours.

    Attributes:
        run_id: what the run's original settings are kept under: its session's id,
            or a name of its own.
        yes: put an earlier run's leftovers back without asking.
        risks: what the user accepts.
        read_only: the run changes nothing; it only says when a restore is due.
    """

    points: RestorePoints
    run_id: str
    reporter: Reporter
    yes: bool = False
    risks: Risks = NO_RISKS
    read_only: bool = False

    @contextmanager
    def guard(self, target: Target) -> Iterator[Journal | None]:
        """Keep other tuners away and the originals safe while the block runs.

        Gives the journal for whatever changes settings; None for a throw-away
        server, which needs none. Afterwards the originals are back, but for a
        point that is marked KEPT.

        Raises:
            SessionError: an earlier run's leftovers must be put back first.
            TargetError: another tuner works on the server, or it is a standby, or putting
                leftovers back would load what its owner has not loaded yet.
        """
        if not isinstance(target, DsnTarget):
            yield None
            return
        if self.read_only:
            self.warn(target)
            yield None
            return
        target.tell(lambda text: self.reporter.say(escape(text)))
        if target.report.standby and not self.risks.standby:
            raise TargetError(
                f"{target.name} is a standby; `llmtune tune --allow-standby` tunes it nevertheless"
            )
        with TunerLock(target) as lock:
            target.keep(lock)
            self._clear_leftovers(target)
            with self._putting_back(target):
                yield TargetJournal(self.points, self.run_id)

    def warn(self, target: Target) -> None:
        """Say on standard error what is due on this server."""
        warn_of(self.points, self.points.due(identity(target)))

    def end_runs(self, target: Target) -> None:
        """Put the originals back after the last run, whose settings nobody agreed to.

        Before anything is asked or written: an answer may come hours later.

        Raises:
            TargetError, ConnectionFailed: they cannot be put back now.
        """
        if not isinstance(target, DsnTarget):
            return
        try:
            self._put_back(target)
        except LLMTuneError as error:
            again = resume_command(self.run_id, self.points.store_name)
            error.add_note(f"The session is done: `{again}` writes its result")
            raise

    def apply_for_good(
        self, target: DsnTarget, space: KnobSpace, configuration: Configuration
    ) -> None:
        """Leave a configuration in force; `llmtune restore` can still take it back.

        Raises:
            TargetError: another tuner works on the server by now, and nothing is applied; or it
                refuses the configuration, and the originals are put back.
        """
        target.hold()  # the answer may have come hours later: another tuner may work here now
        self._put_back(target)
        target.settle(anew=False)  # and its owner may have changed settings
        journal = TargetJournal(self.points, self.run_id)
        changes = configuration.changes(space.baseline())
        answer = space.subset(changes)  # all else is the owner's, who may have changed it too
        applier = SettingsApplier(target, answer, journal, lasting=True)
        applier.apply(answer.configuration(changes))
        target.settle(anew=False)
        self.points.mark(self.run_id, PointState.KEPT)  # the last: nothing may undo it any more

    def _clear_leftovers(self, target: DsnTarget) -> None:
        """Put back what earlier runs left, this one's own without asking."""
        due = self.points.due(identity(target))
        _refuse_unloaded(target, due)
        for point in due:
            if point.id != self.run_id and not (self.yes or self._agrees(point)):
                notice = due_notice(point, self.points.store_name)
                raise SessionError(f"{notice}; nothing was changed now")
            done = restore(target, self.points, point)
            if not done.complete:
                raise TargetError(waiting_notice(done, self.points.store_name))
            self.reporter.say(escape(restored_notice(done, self.points.store_name)))
        target.settle()  # what was found on entering were the leftovers

    @contextmanager
    def _putting_back(self, target: DsnTarget) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            try:
                self._put_back(target)
            except LLMTuneError as failure:
                error.add_note(f"{failure}\n{self._how()}")
            raise
        try:
            self._put_back(target)
        except LLMTuneError as failure:
            failure.add_note(self._how())
            raise

    def _put_back(self, target: DsnTarget) -> None:
        mine = [point for point in self.points.due() if point.id == self.run_id]
        for point in mine:
            try:
                done = restore(target, self.points, point)
            except TargetError:
                target.recover()
                done = restore(target, self.points, point)
            target.settle(anew=False)
            if done.foreign or not done.complete:
                self.reporter.say(escape(restored_notice(done, self.points.store_name)))

    @property
    def take_back(self) -> str:
        """The command that puts back what this run changed."""
        return restore_command(self.run_id, self.points.store_name)

    def _how(self) -> str:
        return f"Put the settings back with: {self.take_back}"

    def _agrees(self, point: RestorePoint) -> bool:
        return confirmed(f"{due_notice(point, self.points.store_name)}. Do so now?")


def own_safety(
    name: str, reporter: Reporter, *, yes: bool = False, risks: Risks = NO_RISKS
) -> Safety:
    """For a run without a session in the user's store: the originals are kept there too."""
    return Safety(RestorePoints(), f"{name}-{new_id()}", reporter, yes=yes, risks=risks)


def looking_on(reporter: Reporter) -> Safety:
    """For a command that changes nothing."""
    return Safety(RestorePoints(), "", reporter, read_only=True)


def identity(target: Target) -> ServerIdentity:
    """Which server a target leads to."""
    with loss_is_failure(), target.connect() as connection:
        return read_identity(connection, target.name)


def _refuse_unloaded(target: DsnTarget, due: Sequence[RestorePoint]) -> None:
    """Make sure that putting these back loads nothing that its owner has not loaded yet.

    Raises:
        TargetError: the reload that it takes would.
    """
    ours = {name for point in due for name, one in point.touched.items() if one.ours}
    theirs = [one for one in target.report.unloaded if one.name not in ours]
    if due and theirs:
        runs = ", ".join(point.id for point in due)
        raise TargetError(f"{unloaded_text(theirs)}; what is left of {runs} waits for it")


def warn_of(points: RestorePoints, due: Iterable[RestorePoint]) -> None:
    """Say on standard error, also where little is said, which restores are due."""
    for point in due:
        typer.secho(f"llmtune: {due_notice(point, points.store_name)}", fg="yellow", err=True)


def confirmed(question: str) -> bool:
    """Ask where somebody can answer; nobody there is a no."""
    return somebody_answers() and typer.confirm(question, err=True)


def somebody_answers() -> bool:
    """Whether a person sits at a terminal that we read from."""
    return sys.stdin.isatty()
