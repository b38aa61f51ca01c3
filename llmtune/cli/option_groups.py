"""Options that commands take together, and the requests that they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmtune.cli import options, server_options, workload_options
from llmtune.units import parse_duration

if TYPE_CHECKING:
    from llmtune.knobs.storage import Storage
    from llmtune.model.ready import ModelRequest
    from llmtune.tuning.requests import RestartRequest, TargetRequest, WorkloadRequest
    from llmtune.tuning.server_facts import Risks


DEFAULT_WORKLOAD = "tpch"
"""On a throw-away server."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Which server, and what it may use."""

    target: server_options.Target = "embedded"
    cores: server_options.Cores = None
    memory: server_options.Memory = None
    bindir: server_options.Bindir = None
    image: server_options.Image = None

    def request(
        self, restart: RestartRequest | None = None, storage: Storage | None = None
    ) -> TargetRequest:
        """What is to be opened."""
        from llmtune.tuning.requests import RestartRequest, TargetRequest

        return TargetRequest(
            target=self.target,
            cores=self.cores,
            memory=self.memory,
            bindir=self.bindir,
            restart=restart or RestartRequest(),
            image=self.image,
            storage=storage,
        )


@dataclass(frozen=True, slots=True)
class RestartOptions:
    """Whether and how a live server may be restarted."""

    allow_restart: server_options.AllowRestart = False
    restart_command: server_options.RestartCommand = None
    restart_container: server_options.RestartContainer = None
    restart_unit: server_options.RestartUnit = None
    restart_pgdata: server_options.RestartPgdata = None

    def request(self) -> RestartRequest:
        """The way to restart, if any.

        Raises:
            UsageError: the options do not go together.
        """
        from llmtune.tuning.requests import RestartRequest

        return RestartRequest(
            self.allow_restart,
            self.restart_command,
            self.restart_container,
            self.restart_unit,
            self.restart_pgdata,
        )


@dataclass(frozen=True, slots=True)
class RiskOptions:
    """What the user accepts on a live server, and what it must bear."""

    allow_durability_risk: server_options.AllowDurabilityRisk = False
    allow_standby: server_options.AllowStandby = False
    peak_sessions: server_options.PeakSessions = None

    @property
    def risks(self) -> Risks:
        """What the guards go by."""
        from llmtune.tuning.server_facts import Risks

        return Risks(self.allow_durability_risk, self.allow_standby, self.peak_sessions)


@dataclass(frozen=True, slots=True)
class WorkloadOptionGroup:
    """Which workload, and in which form."""

    workload: workload_options.Workload = None
    scale: workload_options.Scale = None
    clients: workload_options.Clients = None
    duration: workload_options.Duration = None
    objective: workload_options.Objective = None
    data: workload_options.Data = None
    database: workload_options.Database = None
    data_set: workload_options.DataSet = None
    allow_writes: workload_options.AllowWrites = False
    query_timeout: workload_options.QueryTimeout = None
    queries: workload_options.Queries = None
    leave_out_failing: workload_options.LeaveOutFailing = False
    drawn: workload_options.Drawn = False
    raw_times: workload_options.RawTimes = False

    def request(self, seed: int, target: str) -> WorkloadRequest:
        """The workload that is asked for.

        The seed draws its queries, unless results are compared by its published ones.

        Raises:
            UsageError: an unknown workload, an option that means nothing to it, or no
                workload for a target that is somebody's server.
        """
        from llmtune.tuning.requests import WorkloadRequest
        from workloads.options import WorkloadOptions
        from workloads.registry import DRAWN, check_options, entry, meaningless

        name = self._name(target)
        found = entry(name)
        if self.drawn and not found.published:
            raise meaningless(DRAWN, found, name)
        wanted = WorkloadOptions(
            scale=self.scale,
            seed=seed if self.drawn or not found.published else None,
            clients=self.clients,
            duration_s=_seconds(self.duration),
            objective=self.objective,
            data=self.data,
            database=self.database,
            data_set=self.data_set,
            writes=self.allow_writes,
            leave_out=self.leave_out_failing,
            query_timeout_s=_seconds(self.query_timeout),
            queries=self.queries,
            raw_times=self.raw_times,
        )
        check_options(found, name, wanted)
        return WorkloadRequest(name, wanted)

    def _name(self, target: str) -> str:
        """Nothing is loaded unasked into a server that is not ours."""
        from llmtune.errors import UsageError
        from llmtune.postgres.live.address import is_address

        if self.workload is not None:
            return self.workload
        if is_address(target):
            raise UsageError(
                "say what your server is for by --workload: captured (what it has run), a .sql "
                f"file or a folder of them, or generated data such as {DEFAULT_WORKLOAD}, which "
                "are loaded into a database of their own"
            )
        return DEFAULT_WORKLOAD


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Which adapter suggests, on which base model."""

    adapter: options.Adapter = None
    base: options.Base = None

    def request(self) -> ModelRequest:
        """What is to be loaded."""
        from llmtune.model.ready import ModelRequest

        return ModelRequest(self.adapter, self.base)


def _seconds(text: str | None) -> float | None:
    return None if text is None else parse_duration(text)
