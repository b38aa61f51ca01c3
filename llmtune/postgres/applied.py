"""What applying a configuration did to a server, or would do."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Applied:
    """A configuration in force.

    Attributes:
        session: the settings that `Target.connect` must be given for it, of every knob that
            a session sets: what a role or database has of its own does not count then.
        restarted: whether the server was restarted.
        seconds: how long applying took, the read-back included.
    """

    session: dict[str, str] = field(default_factory=dict)
    restarted: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Planned:
    """What applying a configuration would do, without doing it.

    Attributes:
        altered: ALTER SYSTEM's new entries; None takes one out.
        restart: the knobs because of which the server would be restarted.
        reload: whether it would be told to read its files again.
        session: what each connection would set for itself.
    """

    altered: dict[str, str | None]
    restart: tuple[str, ...]
    reload: bool
    session: dict[str, str]
