"""What is possible on a server, found out before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmtune.knobs.configuration import Value
from llmtune.knobs.hardware import Hardware
from llmtune.postgres.live.in_use import InUse
from llmtune.postgres.live.leeway import Leeway
from llmtune.postgres.live.present import Override, PresentSetting
from llmtune.postgres.live.provider import Provider
from llmtune.postgres.live.reach import KnobReach
from llmtune.postgres.live.rights import Rights
from llmtune.postgres.live.unloaded import Unloaded, unloaded_text


@dataclass(frozen=True, slots=True)
class ServerReport:
    """One server as one role finds it.

    Attributes:
        name: the resolved address, without a password.
        system: the cluster's system identifier; empty where this role is not told.
        release: the full version, such as `18.6`.
        started: when the server started, seconds since 1970.
        provider: None for a server of one's own.
        here: whether it runs on this machine.
        hardware: None where it is neither given nor to be seen.
        restarter: how it would be restarted; None: not at all.
        settings: of the catalogue's knobs, in its order, and those of `UNTUNED` behind them.
        overrides: of roles and databases, for the catalogue's knobs.
        unloaded: settings, of all there are, that the next reload would change.
        reaches: one for each knob that may be tuned at all.
        leeways: by knob, where the server leaves it less than its scale.
    """

    name: str
    system: str
    release: str
    started: float
    standby: bool
    rights: Rights
    provider: Provider | None
    here: bool
    hardware: Hardware | None
    restarter: str | None
    settings: tuple[PresentSetting, ...]
    overrides: tuple[Override, ...]
    in_use: InUse
    unloaded: tuple[Unloaded, ...]
    reaches: tuple[KnobReach, ...]
    leeways: Mapping[str, Leeway] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """The major version."""
        return int(self.release.partition(".")[0])

    @property
    def reachable(self) -> tuple[str, ...]:
        """The knobs that can be tuned."""
        return tuple(one.name for one in self.reaches if one.reachable)

    def lasting_obstacles(self, database: str) -> dict[str, str]:
        """By knob that can be tuned, what keeps it from being left changed for all sessions.

        Args:
            database: whose sessions must have it; its own settings would hide the change.
        """
        ours = (one for one in self.reaches if one.reachable)
        hidden = {
            one.name: f"{one.statement}; to remove: {one.mend}"
            for one in self.masked
            if (one.role, one.database) == (None, database)
        }
        return hidden | {one.name: one.lasting_obstacle for one in ours if one.lasting_obstacle}

    @property
    def present(self) -> dict[str, Value]:
        """The present value of each of the settings."""
        return {one.name: one.value for one in self.settings}

    @property
    def ends(self) -> dict[str, tuple[float | None, float | None]]:
        """Where the server ends the scales of knobs; see `KnobSpace.within`."""
        return {name: (one.low, one.high) for name, one in self.leeways.items()}

    @property
    def pending(self) -> tuple[str, ...]:
        """Knobs whose value in the files waits for a restart."""
        return tuple(one.name for one in self.settings if one.pending_restart)

    @property
    def masked(self) -> tuple[Override, ...]:
        """Overrides of reachable knobs: what those sessions have whatever we find best."""
        return tuple(one for one in self.overrides if one.name in self.reachable)

    @property
    def problems(self) -> tuple[str, ...]:
        """What of the server keeps tuning from starting, and how to mend it."""
        found = []
        if self.hardware is None:
            found.append(
                "what the server may use is not known: it does not run on this machine "
                "as far as can be seen; say it with --cores and --memory"
            )
        if not self.reachable:
            found.append("this role can change no knob at all; see what is in the way of each")
        altered = {one.name for one in self.reaches if one.reachable and one.effect != "session"}
        waiting = [one for one in self.unloaded if one.name in altered]
        if waiting:
            found.append(unloaded_text(waiting))
        return tuple(found)
