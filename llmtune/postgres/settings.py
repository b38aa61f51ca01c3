"""Applying configurations: ALTER SYSTEM, reload or restart as needed, and read back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import psycopg

from llmtune.errors import ReadBackMismatch, ServerDidNotStart, TargetError
from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.knob import Effect
from llmtune.knobs.space import KnobSpace, ResolvedKnob
from llmtune.postgres.server_settings import (
    ServerSetting,
    alter_system,
    read_altered,
    read_settings,
    same_value,
    setting_text,
    settings_rows,
)
from llmtune.postgres.session import loss_is_failure
from llmtune.postgres.target import Connection, Target

__all__ = ["Applied", "Original", "SettingsApplier", "settings_rows"]

RELOAD_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Applied:
    """A configuration in force.

    Attributes:
        session: the settings that `Target.connect` must be given for it.
        restarted: whether the server was restarted.
        seconds: how long applying took, the read-back included.
    """

    session: dict[str, str] = field(default_factory=dict)
    restarted: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Original:
    """What a knob was before us: its value, and ALTER SYSTEM's text for it if any."""

    value: Value
    altered: str | None


class SettingsApplier:
    """Brings one target from configuration to configuration of one knob space.

    What to do is decided anew each time from what the server itself says, so a
    server that crashed or was recovered in between is no special case. A knob
    whose wanted value is the original one has no ALTER SYSTEM entry of ours.
    """

    def __init__(self, target: Target, space: KnobSpace) -> None:
        """Remember the original settings, which `reset` puts back.

        Raises:
            ConnectionFailed: the server does not answer.
        """
        self._target = target
        self._space = space
        self._system = tuple(knob for knob in space.knobs if knob.effect is not Effect.SESSION)
        self._originals = self._read_originals()

    def apply(self, configuration: Configuration) -> Applied:
        """Put the configuration in force and check that it is.

        Raises:
            ServerDidNotStart: the server does not start with it; the target is
                recovered, that is up again on its original settings.
            ReadBackMismatch: the server refuses a value or reports another one.
            TargetError: it takes a restart and the target cannot be restarted.
            ConnectionFailed: the server does not answer.
        """
        begin = time.monotonic()
        self._space.validate(configuration)
        session = self._session_settings(configuration)
        restarted = self._bring_to({knob.name: configuration[knob.name] for knob in self._system})
        self._read_back(configuration, session)
        return Applied(session, restarted, time.monotonic() - begin)

    def reset(self) -> None:
        """Put the original settings back, with a restart only if one is needed and possible.

        Raises:
            ServerDidNotStart: the server does not come up; recovery was tried.
            ConnectionFailed: the server does not answer.
        """
        self._bring_to({knob.name: self._originals[knob.name].value for knob in self._system})

    def _read_originals(self) -> dict[str, Original]:
        names = self._space.names
        with loss_is_failure(), self._target.connect() as connection:
            settings = read_settings(connection, names)
            altered = self._read_altered(connection, names)
        missing = [name for name in names if name not in settings]
        if missing:
            raise TargetError(f"the server has no setting {', '.join(missing)}")
        return {name: Original(settings[name].asked, altered.get(name)) for name in names}

    def _read_altered(self, connection: Connection, names: Iterable[str]) -> dict[str, str]:
        if not self._system:
            return {}
        try:
            return read_altered(connection, names)
        except psycopg.errors.InsufficientPrivilege as error:
            raise TargetError(
                "this login may not use ALTER SYSTEM; use a superuser's, "
                "or tune only knobs that a session can set"
            ) from error

    def _session_settings(self, configuration: Configuration) -> dict[str, str]:
        return {
            knob.name: setting_text(configuration[knob.name])
            for knob in self._space.knobs
            if knob.effect is Effect.SESSION
            and not same_value(configuration[knob.name], self._originals[knob.name].value)
        }

    def _bring_to(self, wanted: dict[str, Value]) -> bool:
        """Alter, then reload or restart as it takes; True after a restart."""
        if not wanted:
            return False
        with loss_is_failure(), self._target.connect() as connection:
            restart = self._needing_restart(connection, wanted)
            self._alter(connection, wanted)
            if not restart:
                self._reload(connection, wanted)
        if restart:
            self._restart()
        return bool(restart)

    def _needing_restart(self, connection: Connection, wanted: dict[str, Value]) -> list[str]:
        """The knobs that hold another value than wanted until the server restarts."""
        now = read_settings(connection, wanted)
        names = [
            knob.name
            for knob in self._system
            if knob.effect is Effect.RESTART and not _holds(now[knob.name], wanted[knob.name])
        ]
        if names and not self._target.can_restart:
            raise TargetError(
                f"{', '.join(names)} would need a restart, which this target does not allow"
            )
        return names

    def _alter(self, connection: Connection, wanted: dict[str, Value]) -> None:
        """Make ALTER SYSTEM's file say what is wanted; untouched where it does already."""
        altered = read_altered(connection, wanted)
        for name, value in wanted.items():
            text = self._entry(name, value)
            if altered.get(name) == text:
                continue
            try:
                alter_system(connection, name, text)
            except psycopg.Error as error:
                if connection.closed:
                    raise
                reason = error.diag.message_primary
                raise ReadBackMismatch(f"the server refuses {name} = {text}: {reason}") from error

    def _entry(self, name: str, value: Value) -> str | None:
        original = self._originals[name]
        return original.altered if same_value(value, original.value) else setting_text(value)

    def _reload(self, connection: Connection, wanted: dict[str, Value]) -> None:
        """Reload if a value in force is not the wanted one, and wait until it was done."""
        now = read_settings(connection, wanted)
        if all(_holds(now[name], value) for name, value in wanted.items()):
            return
        loaded = "SELECT pg_conf_load_time()"
        before = connection.execute(loaded).fetchone()
        connection.execute("SELECT pg_reload_conf()")
        deadline = time.monotonic() + RELOAD_PATIENCE_S
        while connection.execute(loaded).fetchone() == before and time.monotonic() < deadline:
            time.sleep(0.002)

    def _restart(self) -> None:
        try:
            self._target.restart()
        except ServerDidNotStart:
            self._target.recover()
            raise

    def _read_back(self, configuration: Configuration, session: dict[str, str]) -> None:
        with loss_is_failure(), self._target.connect(settings=session) as connection:
            now = read_settings(connection, self._space.names)
        wrong = [
            f"{knob.name} is {now[knob.name].value}, not {configuration[knob.name]}"
            for knob in self._space.knobs
            if not _reads_back(knob, now[knob.name], configuration[knob.name])
        ]
        if wrong:
            raise ReadBackMismatch(f"the server did not take all values: {'; '.join(wrong)}")


def _holds(setting: ServerSetting, value: Value) -> bool:
    return same_value(setting.asked, value) or same_value(setting.value, value)


def _reads_back(knob: ResolvedKnob, setting: ServerSetting, value: Value) -> bool:
    """For a special value in whose place the server puts its own choice, any will do."""
    return value in knob.knob.computed or same_value(setting.value, value)
