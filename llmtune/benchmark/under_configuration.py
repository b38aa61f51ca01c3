"""Running something under a configuration, whatever that does to the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, Self, TypeVar

from llmtune.errors import ConnectionFailed, ReadBackMismatch, ServerDidNotStart
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.originals import Journal
from llmtune.postgres.settings import SettingsApplier
from llmtune.postgres.target import Target, hold, why_lost
from llmtune.trial import TrialStatus


class Run(Protocol):
    """What was run, and how it ended."""

    @property
    def status(self) -> TrialStatus:
        """CRASHED when the server died of it."""
        ...

    def explained(self, reason: str) -> Self:
        """The same run, its message led by why the server died."""
        ...


R = TypeVar("R", bound=Run)
Work = Callable[[Mapping[str, str]], R]
"""Takes the session settings that its connections must be given."""

NothingRan = Callable[[TrialStatus, str], R]
"""What stands for a run under a configuration that could not be applied, and why."""


class UnderConfiguration:
    """Applies configurations to one target; after each run the server is up."""

    def __init__(
        self,
        target: Target,
        space: KnobSpace,
        journal: Journal | None = None,
        database: str | None = None,
    ) -> None:
        """Remember the target's original settings.

        Args:
            journal: of a server that outlives us, told before each change.
            database: where the runs are, and the settings are read back; None: the target's own.
        """
        self._target = target
        self._applier = SettingsApplier(target, space, journal, database=database)

    def apply(self, configuration: Configuration) -> dict[str, str]:
        """Put the configuration in force and return its session settings.

        A server that died since it was last used is no fault of the configuration.

        Raises:
            ServerDidNotStart, ReadBackMismatch: it cannot be applied.
            TargetError: another tuner works on the server by now.
        """
        try:
            hold(self._target)
            return self._applier.apply(configuration).session
        except ConnectionFailed:
            self._target.recover()
            return self._applier.apply(configuration).session

    def run(self, configuration: Configuration, work: Work[R], nothing_ran: NothingRan[R]) -> R:
        """Apply, work, and bring the server back up when it did not survive that.

        Raises:
            TargetError: the server could not be brought back up.
        """
        try:
            run = work(self.apply(configuration))
        except (ServerDidNotStart, ConnectionFailed) as error:
            run = nothing_ran(TrialStatus.CRASHED, str(error))
        except ReadBackMismatch as error:
            run = nothing_ran(TrialStatus.REJECTED, str(error))
        return self.recovered(run) if run.status is TrialStatus.CRASHED else run

    def recovered(self, run: R) -> R:
        """Bring the server back up after a run; the same run, which now says why it died.

        Raises:
            TargetError: the server could not be brought back up.
        """
        reason = why_lost(self._target)
        self._target.recover()
        return run.explained(reason) if reason else run
