"""Applying configurations: ALTER SYSTEM, reload or restart as needed, and read back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager

import psycopg

from llmtune.errors import ReadBackMismatch, ServerDidNotStart, TargetError
from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.knob import Effect
from llmtune.knobs.space import KnobSpace, ResolvedKnob
from llmtune.postgres.applied import Applied, Planned
from llmtune.postgres.live.unloaded import refuse_unloaded
from llmtune.postgres.originals import (
    UNSEEN,
    Change,
    Journal,
    Originals,
    Unjournalled,
    read_entries,
    read_originals,
    same_text,
    unalterable,
)
from llmtune.postgres.server_settings import (
    ServerSetting,
    alter_system,
    read_settings,
    reload_settings,
    same_value,
    setting_text,
)
from llmtune.postgres.session import loss_is_failure
from llmtune.postgres.target import Connection, NotesEntries, Target, hold, kept


class SettingsApplier:
    """Brings one target from configuration to configuration of one knob space.

    What to do is decided anew each time from what the server itself says, so a
    server that crashed or was recovered in between is no special case. A knob
    whose wanted value is the original one has no ALTER SYSTEM entry of ours.
    """

    def __init__(
        self,
        target: Target,
        space: KnobSpace,
        journal: Journal | None = None,
        *,
        lasting: bool = False,
        database: str | None = None,
    ) -> None:
        """Remember the original settings.

        Args:
            journal: told before every ALTER SYSTEM; None for a throw-away server.
            lasting: session-level knobs too become the server's own settings, for
                a configuration that is to stay.
            database: where it is measured, and so read back; None: the target's own.

        Raises:
            ConnectionFailed: the server does not answer.
            TargetError: the server lacks one of the knobs, or its owner has changed one in its
                files and not loaded them.
        """
        self._target = target
        self._space = space
        self._database = database
        self._journal = journal or Unjournalled()
        self._system = tuple(
            knob for knob in space.knobs if lasting or knob.effect is not Effect.SESSION
        )
        self._originals = self._read_originals()

    def apply(self, configuration: Configuration) -> Applied:
        """Put the configuration in force and check that it is.

        Raises:
            ServerDidNotStart: the server does not start with it; the target is
                recovered, that is up again on its original settings.
            ReadBackMismatch: the server refuses a value or reports another one.
            TargetError: it takes a restart and the target cannot be restarted, or another tuner
                works on it.
            ConnectionFailed: the server does not answer.
        """
        begin = time.monotonic()
        self._space.validate(configuration)
        session = self._session_settings(configuration)
        restarted = self._bring_to({knob.name: configuration[knob.name] for knob in self._system})
        self._read_back(configuration, session)
        return Applied(session, restarted, time.monotonic() - begin)

    @property
    def originals(self) -> Originals:
        """The settings before the first `apply`."""
        return self._originals

    def plan(self, configuration: Configuration) -> Planned:
        """What `apply` would do now; the server is only read.

        Raises:
            ConnectionFailed: the server does not answer.
        """
        self._space.validate(configuration)
        wanted = {knob.name: configuration[knob.name] for knob in self._system}
        with loss_is_failure(), self._target.connect() as connection:
            changes = self._changes(connection, wanted)
            now = read_settings(connection, wanted)
        restart = self._needing_restart(now, wanted)
        different = any(not _holds(now[name], value) for name, value in wanted.items())
        return Planned(
            {name: change.next for name, change in changes.items()},
            tuple(restart),
            different and not restart,
            self._session_settings(configuration),
        )

    def _read_originals(self) -> Originals:
        with loss_is_failure(), self._target.connect() as connection:
            refused = unalterable(connection, [knob.name for knob in self._system])
            if refused:
                raise TargetError(
                    f"this login may not use ALTER SYSTEM for {', '.join(refused)}; grant it, "
                    "use a superuser's, or tune only knobs that a session can set"
                )
            if isinstance(self._target, NotesEntries):
                refuse_unloaded(connection, [knob.name for knob in self._system])
            return read_originals(connection, self._space.names, self._target.name)

    def _session_settings(self, configuration: Configuration) -> dict[str, str]:
        """All of them: another database may have another value of one that does not change."""
        return {
            knob.name: setting_text(configuration[knob.name])
            for knob in self._space.knobs
            if knob not in self._system
        }

    def _bring_to(self, wanted: dict[str, Value]) -> bool:
        """Alter, then reload or restart as it takes; True after a restart."""
        if not wanted:
            return False
        with loss_is_failure(), self._way_to(wanted) as connection:
            restart = self._needing_restart(read_settings(connection, wanted), wanted)
            if restart and not self._target.can_restart:
                raise TargetError(
                    f"{', '.join(restart)} would need a restart, which this target does not allow"
                )
            self._alter(connection, wanted)
            if not restart:
                self._reload(connection, wanted)
        if restart:
            self._restart()
        return bool(restart)

    def _way_to(self, wanted: dict[str, Value]) -> AbstractContextManager[Connection]:
        """What is put back does not wait for a place among the server's connections."""
        originals = self._originals.settings
        back = all(same_value(value, originals[name].value) for name, value in wanted.items())
        return kept(self._target) if back else self._target.connect()

    def _needing_restart(
        self, now: dict[str, ServerSetting], wanted: dict[str, Value]
    ) -> list[str]:
        """The knobs that hold another value than wanted until the server restarts."""
        return [
            knob.name
            for knob in self._system
            if knob.effect is Effect.RESTART and not _holds(now[knob.name], wanted[knob.name])
        ]

    def _alter(self, connection: Connection, wanted: dict[str, Value]) -> None:
        """Make ALTER SYSTEM's file say what is wanted; untouched where it does already."""
        changes = self._changes(connection, wanted)
        self._check_seen(changes)
        if changes:
            hold(self._target)
            self._journal.before(self._originals, changes)
            if isinstance(self._target, NotesEntries):
                self._target.note_entries({n: (one.now, one.next) for n, one in changes.items()})
        for name, change in changes.items():
            try:
                alter_system(connection, name, change.next)
            except psycopg.Error as error:
                if connection.closed:
                    raise
                raise _refused(name, change.next, error) from error

    def _check_seen(self, changes: Iterable[str]) -> None:
        """What cannot be put back is not changed."""
        hidden = [n for n in changes if self._originals.settings[n].altered == UNSEEN]
        if hidden:
            raise TargetError(
                f"this login does not see whether ALTER SYSTEM sets {', '.join(hidden)}, and could "
                "not put it back; GRANT SELECT ON pg_file_settings and EXECUTE ON FUNCTION "
                "pg_show_all_file_settings() to it, or restart the server first"
            )

    def _changes(self, connection: Connection, wanted: dict[str, Value]) -> dict[str, Change]:
        """The entries of ALTER SYSTEM's file that do not say what is wanted."""
        if not wanted:
            return {}
        entries = read_entries(connection, wanted)
        changes = {
            name: Change(entries.get(name), self._entry(name, value))
            for name, value in wanted.items()
        }
        return {name: one for name, one in changes.items() if not same_text(one.now, one.next)}

    def _entry(self, name: str, value: Value) -> str | None:
        original = self._originals.settings[name]
        return original.altered if same_value(value, original.value) else setting_text(value)

    def _reload(self, connection: Connection, wanted: dict[str, Value]) -> None:
        """Reload if a value in force is not the wanted one, and wait until it was done."""
        now = read_settings(connection, wanted)
        if all(_holds(now[name], value) for name, value in wanted.items()):
            return
        reload_settings(connection)

    def _restart(self) -> None:
        try:
            self._target.restart()
        except ServerDidNotStart:
            self._target.recover()
            raise

    def _read_back(self, configuration: Configuration, session: dict[str, str]) -> None:
        with loss_is_failure(), self._target.connect(self._database, session) as connection:
            now = read_settings(connection, self._space.names)
        wrong = [
            f"{knob.name} is {now[knob.name].value}, not {configuration[knob.name]}"
            for knob in self._space.knobs
            if not _reads_back(knob, now[knob.name], configuration[knob.name])
        ]
        if wrong:
            raise ReadBackMismatch(f"the server did not take all values: {'; '.join(wrong)}")


def _refused(name: str, text: str | None, error: psycopg.Error) -> TargetError:
    """Why ALTER SYSTEM failed: for want of rights or room any other value would fail too."""
    reason = error.diag.message_primary
    if isinstance(error, (psycopg.errors.InsufficientPrivilege, psycopg.OperationalError)):
        return TargetError(f"the server cannot change {name} now: {reason}")
    return ReadBackMismatch(f"the server refuses {name} = {text}: {reason}")


def _holds(setting: ServerSetting, value: Value) -> bool:
    return same_value(setting.asked, value) or same_value(setting.value, value)


def _reads_back(knob: ResolvedKnob, setting: ServerSetting, value: Value) -> bool:
    """For a special value in whose place the server puts its own choice, any will do."""
    return value in knob.knob.computed or same_value(setting.value, value)
