"""Everything that a measuring command needs, opened in the right order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmtune.benchmark.benchmark import Benchmark, MeasureOptions
from llmtune.cli.progress import Reporter
from llmtune.errors import UnknownName, UsageError
from llmtune.knobs.catalogue import check, load_catalogue
from llmtune.knobs.hardware import Hardware, detect_hardware
from llmtune.knobs.relevance import relevant
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.postgres.binaries import find_binaries
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.embedded import EmbeddedTarget
from llmtune.postgres.load import ensure_loaded
from llmtune.postgres.profile import Profile, profile_workload
from llmtune.postgres.server_settings import settings_rows
from llmtune.postgres.target import Target
from llmtune.tuning.record import without_password
from llmtune.units import parse_memory
from workloads.registry import workload
from workloads.workload import Workload

TARGETS = ("embedded", "postgresql://...")


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """What the user asked to be tuned, not opened yet."""

    target: str
    cores: int | None = None
    memory: str | None = None
    bindir: Path | None = None


@dataclass(frozen=True, slots=True)
class WorkloadRequest:
    """Which workload the user asked for."""

    name: str
    scale: float
    seed: int


@dataclass(frozen=True, slots=True)
class Bench:
    """An opened target with a loaded workload.

    Attributes:
        whole: the knob space of all knobs that the target can change.
        space: the part of it that the workload responds to.
    """

    target: Target
    whole: KnobSpace
    space: KnobSpace
    workload: Workload
    database: str
    profile: Profile

    def restart_clock(self) -> float:
        """Seconds that the target has spent restarting so far."""
        return self.target.restart_seconds

    def benchmark(self, options: MeasureOptions | None = None) -> Benchmark:
        """What measures the workload on the target, over `space`."""
        return Benchmark(self.target, self.space, self.workload, self.database, options)


def open_target(request: TargetRequest) -> AbstractContextManager[Target]:
    """The target of a request; entering it connects or starts the server.

    Raises:
        UnknownName: neither `embedded` nor an address.
        UsageError: more cores or memory than there are, or options that do not go together.
    """
    memory = None if request.memory is None else parse_memory(request.memory)
    if request.target == "embedded":
        binaries = None if request.bindir is None else find_binaries(request.bindir)
        return EmbeddedTarget(binaries=binaries, cores=request.cores, memory=memory)
    if request.target.startswith(("postgresql://", "postgres://")):
        if request.bindir is not None:
            raise UsageError("--bindir goes with the embedded target, not with an address")
        here = detect_hardware()
        return DsnTarget(
            request.target, Hardware(request.cores or here.cores, memory or here.memory)
        )
    raise UnknownName("target", without_password(request.target), TARGETS)


@contextmanager
def open_bench(
    target_request: TargetRequest, workload_request: WorkloadRequest, reporter: Reporter
) -> Iterator[Bench]:
    """Open the target, load the workload's data set once, and profile it.

    A wrong request fails before any server is started. Leaving puts the target's
    original settings back.
    """
    wanted = workload(workload_request.name, workload_request.scale, workload_request.seed)
    with open_target(target_request) as target:
        whole = _space(target)
        with reporter.bar(f"Loading {wanted.data_set.name}") as progress:
            database = ensure_loaded(target, wanted.data_set, progress)
        with target.connect(database) as connection:
            profile = profile_workload(connection, wanted, target.hardware, target.version)
            jit = connection.execute("SELECT pg_jit_available()").fetchone() == (True,)
        space = relevant(whole, profile.kind, jit=jit)
        yield Bench(target, whole, space, wanted, database, profile)


def _space(target: Target) -> KnobSpace:
    catalogue = load_catalogue()
    with target.connect() as connection:
        check(catalogue, target.version, settings_rows(connection))
    space = resolve_space(catalogue, target.version, target.hardware)
    if target.can_restart:
        return space
    return space.subset([knob.name for knob in space.knobs if knob.effect != "restart"])
