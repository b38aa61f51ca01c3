"""Which knobs can be changed on a server, and for the others why not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from llmtune.knobs.knob import Effect
from llmtune.knobs.resolved import ResolvedKnob
from llmtune.postgres.live.leeway import Leeway
from llmtune.postgres.live.present import OUTRANKING, PresentSetting, quoted
from llmtune.postgres.live.provider import Provider
from llmtune.postgres.live.rights import PARAMETER_GRANTS, Rights

TIED_TO_PRIMARY = ("max_worker_processes",)
"""A standby stops, or stops replaying, when it has less of these than its primary:
https://www.postgresql.org/docs/current/hot-standby.html"""

LASTING_RISKS = {
    "fsync": "what was written without it is safe only once the whole system was synced",
}
"""Knobs whose risk outlives their value, and why:
https://www.postgresql.org/docs/current/runtime-config-wal.html#GUC-FSYNC"""


class ChangesFor(Enum):
    """Whose sessions are to have what is tried."""

    OURS = "ours"
    """Session knobs are set in our own sessions alone."""
    EVERYONE = "everyone"
    """Nothing is set in a session, and the server is not restarted under the others."""
    NOBODY = "nobody"
    """Nothing is changed: people take over what is suggested, with their own means."""


@dataclass(frozen=True, slots=True)
class Means:
    """What stands at our disposal on one server.

    Attributes:
        version: the major version.
        provider: None for a server of one's own.
        followed: WAL is sent from the server to others, which may be standbys.
        restarts: a way to restart is given and allowed.
        waiting: settings of any kind, of which another value comes into force with a restart.
        leeways: by knob, where the server leaves it less than its scale.
        differences: by knob, in what the server describes it otherwise than we know it.
    """

    version: int
    rights: Rights
    standby: bool = False
    followed: bool = False
    provider: Provider | None = None
    restarts: bool = False
    waiting: Sequence[str] = ()
    changes_for: ChangesFor = ChangesFor.OURS
    leeways: Mapping[str, Leeway] = field(default_factory=dict)
    differences: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnobReach:
    """Whether a knob can be tuned.

    Attributes:
        effect: by what: session, reload or restart.
        obstacle: what is in the way and how to remove it; empty if nothing is.
        lasting_obstacle: the same for a change that is to stay for all sessions.
    """

    name: str
    effect: Effect
    obstacle: str = ""
    lasting_obstacle: str = ""

    @property
    def reachable(self) -> bool:
        """Whether nothing is in the way."""
        return not self.obstacle


def reach(knob: ResolvedKnob, now: PresentSetting | None, means: Means) -> KnobReach:
    """Whether we can change `knob`, which stands as `now` says; None: the server lacks it."""
    if now is None or knob.name in means.differences:
        other = means.differences.get(knob.name, "the server does not have it")
        obstacle = f"not as LLMTune knows it, so it is left alone: {other}"
        return KnobReach(knob.name, knob.effect, obstacle, obstacle)
    if knob.name in LASTING_RISKS:
        why = f"not on a server that is in use: {LASTING_RISKS[knob.name]}"
        return KnobReach(knob.name, knob.effect, why, why)
    unknown = _unknown(knob, now)
    confined = _confined(knob, means)
    if means.changes_for is ChangesFor.NOBODY:
        return KnobReach(knob.name, knob.effect, unknown or confined, unknown or confined)
    lasting = unknown or _by_system(knob, now, means) or confined
    if knob.effect is Effect.SESSION and means.changes_for is ChangesFor.OURS:
        obstacle = unknown or _in_session(now, means) or confined
        return KnobReach(knob.name, Effect.SESSION, obstacle, lasting)
    effect = Effect.RELOAD if knob.effect is Effect.SESSION else knob.effect
    return KnobReach(knob.name, effect, lasting, lasting)


def _unknown(knob: ResolvedKnob, now: PresentSetting) -> str:
    if knob.knob.choices and now.value not in knob.knob.choices:
        return f"its value {now.value} is none that LLMTune knows, so it is left alone"
    return ""


def _confined(knob: ResolvedKnob, means: Means) -> str:
    leeway = means.leeways.get(knob.name)
    if leeway is None or leeway.leaves(knob):
        return ""
    return f"nothing is left of its scale: {leeway.why}"


def _in_session(now: PresentSetting, means: Means) -> str:
    if now.context == "user" or now.name in means.rights.sets:
        return ""
    return _grant("SET", now.name, means)


def _by_system(knob: ResolvedKnob, now: PresentSetting, means: Means) -> str:
    if now.name not in means.rights.alters or not means.rights.system_open:
        return _closed(now, means)
    if now.source in OUTRANKING:
        return f"it is set {OUTRANKING[now.source]}, which outranks ALTER SYSTEM"
    if _of_hidden_origin(now, means):
        return f"GRANT pg_read_all_settings TO {quoted(means.rights.role)}"
    if now.pending_restart:
        return "another value of it waits for a restart already; restart the server first"
    if knob.effect is Effect.RESTART:
        return _by_restart(now, means)
    role = quoted(means.rights.role)
    return "" if means.rights.reloads else f"GRANT EXECUTE ON FUNCTION pg_reload_conf() TO {role}"


def _of_hidden_origin(now: PresentSetting, means: Means) -> bool:
    """Whether nobody tells us which file its value is from.

    Put back by ALTER SYSTEM, a value of `postgresql.conf` would outrank that file for good.
    """
    hidden = now.source == "configuration file" and now.sourcefile is None
    return hidden and not means.rights.reads_files


def _closed(now: PresentSetting, means: Means) -> str:
    if means.provider is not None:
        return f"{means.provider.name} has it in the {means.provider.place}"
    if not means.rights.system_open:
        return "the server forbids ALTER SYSTEM (allow_alter_system is off)"
    return _grant("ALTER SYSTEM", now.name, means)


def _by_restart(now: PresentSetting, means: Means) -> str:
    if means.standby and now.name in TIED_TO_PRIMARY:
        return "a standby must not have less of it than its primary"
    if means.followed and now.name in TIED_TO_PRIMARY:
        return (
            "others receive WAL from this server, and a standby among them would stop "
            "replaying if the server had more of it than the standby has"
        )
    if means.changes_for is ChangesFor.EVERYONE:
        return "it takes a restart, and a server that is observed is not restarted"
    if not means.restarts:
        return (
            "it takes a restart, allowed by `llmtune tune --allow-restart` and a way, such as "
            "--restart-unit"
        )
    if means.waiting:
        return (
            f"a restart would put in force what waits for one ({', '.join(means.waiting)}); "
            "restart the server first"
        )
    return ""


def _grant(privilege: str, name: str, means: Means) -> str:
    if means.version < PARAMETER_GRANTS:
        return f"{privilege} takes a superuser before PostgreSQL {PARAMETER_GRANTS}"
    return f"GRANT {privilege} ON PARAMETER {name} TO {quoted(means.rights.role)}"
