"""`--observe`: what to watch, opened in the right order, on a server whose traffic is watched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace

from rich.markup import escape

from llmtune.benchmark.evaluator import Evaluator
from llmtune.benchmark.observe import MEAN_TIME, ObserveBenchmark, ObservedWorkload
from llmtune.benchmark.observe_window import WindowOptions
from llmtune.cli.bench import Bench, open_bench, opened
from llmtune.cli.observe_request import ObserveRequest
from llmtune.cli.own_queries import CAPTURED
from llmtune.cli.progress import Reporter
from llmtune.cli.safety import Safety
from llmtune.cli.targets import storage_of
from llmtune.errors import TargetError, UsageError
from llmtune.knobs.relevance import relevant
from llmtune.knobs.space import KnobSpace
from llmtune.postgres.captured import captured_workload
from llmtune.postgres.live.reach import ChangesFor
from llmtune.postgres.profile import Profile, profile_workload
from llmtune.postgres.server_settings import jit_available
from llmtune.postgres.target import Connection
from llmtune.postgres.traffic_reader import TrafficReader
from llmtune.report.wording import span_text
from llmtune.tuning.origin import Origin, origin_of
from llmtune.tuning.record import JournalEntry, SessionRecord
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from llmtune.tuning.server_facts import facts_of
from workloads.options import WorkloadOptions
from workloads.workload import ExistingDatabase


@dataclass(frozen=True, slots=True)
class ObservedBench(Bench):
    """A live server, and how to watch it."""

    request: ObserveRequest = field(default_factory=lambda: ObserveRequest(WindowOptions()))
    reporter: Reporter = field(default_factory=Reporter)

    def benchmark(self) -> Evaluator:
        """What watches the traffic under configurations of `space`."""
        return ObserveBenchmark(
            self.target,
            self.space,
            self.request.windows,
            self.journal,
            lambda text: self.reporter.say(f"[yellow]{escape(text)}[/yellow]"),
            self.request.reference_ms,
        )


def continued(record: SessionRecord, journal: Sequence[JournalEntry]) -> ObserveRequest | None:
    """How a stored session watched; None: it did not."""
    windows = record.origin.windows
    if windows is None:
        return None
    reference = journal[0].trial.value if journal else None
    return ObserveRequest(windows, record.seed, record.knobs, reference)


def observed_origin(target: TargetRequest, request: ObserveRequest) -> Origin:
    """What a session that watches needs to go on; a password is left out."""
    workload = WorkloadRequest(CAPTURED, WorkloadOptions(seed=request.seed))
    return replace(origin_of(target, workload), windows=request.windows)


def open_measured(
    target: TargetRequest,
    wanted: ObserveRequest | WorkloadRequest,
    reporter: Reporter,
    safety: Safety,
    *,
    load: bool = True,
    queries_only: bool = False,
) -> AbstractContextManager[Bench]:
    """The bench for whatever is measured: the server's traffic, or a workload.

    Args:
        load: of a workload; see `open_bench`.
        queries_only: a transaction mix, or traffic, is a wrong request.

    Raises:
        UsageError: it is; nothing was opened.
    """
    if isinstance(wanted, ObserveRequest):
        if queries_only:
            raise UsageError(
                "the optimizer plan looks at the plans of single queries, and --observe runs none: "
                "choose another, such as tpe"
            )
        return open_observed(target, wanted, reporter, safety)
    return open_bench(target, wanted, reporter, safety, load=load, queries_only=queries_only)


@contextmanager
def open_observed(
    target_request: TargetRequest, request: ObserveRequest, reporter: Reporter, safety: Safety
) -> Iterator[Bench]:
    """Open the target, make sure that its traffic can be watched, and profile it.

    Raises:
        UsageError: `pg_stat_statements` cannot be read; what to do is said.
    """
    target_request = replace(target_request, changes_for=ChangesFor.EVERYONE)
    with opened(target_request, reporter, safety) as (target, journal, whole):
        reporter.say(_announced(request.windows))
        with target.connect() as connection:
            TrafficReader(connection)
            workload, complete = _statements(connection, request.seed, reporter)
            profile = profile_workload(connection, workload, target.hardware, target.version)
            space = _space(connection, whole, request, profile if complete else None)
            database = connection.info.dbname
        yield ObservedBench(
            target,
            whole,
            space,
            workload,
            database,
            profile,
            facts_of(target, workload.clients, safety.risks),
            journal,
            storage=storage_of(target_request, target),
            request=request,
            reporter=reporter,
        )


def _announced(windows: WindowOptions) -> str:
    return (
        f"Watching the traffic of all databases: {span_text(windows.window_s)} for each trial, "
        f"from {span_text(windows.settle_s)} after a change of settings on. The original settings "
        f"are put back when statements take {windows.rollback:.0%} longer"
    )


def _statements(
    connection: Connection, seed: int, reporter: Reporter
) -> tuple[ObservedWorkload, bool]:
    """The heaviest statements as far as they can be planned, and whether those are all."""
    options = WorkloadOptions(seed=seed, writes=True)  # they are planned and never run
    existing = ExistingDatabase(database=connection.info.dbname)
    try:
        found = captured_workload(connection, options, to_run=False)
    except UsageError as reason:
        reporter.say(escape(f"No statement can be planned, so nothing is known of them: {reason}"))
        return ObservedWorkload("traffic", (), existing, MEAN_TIME), False
    queries = found.workload.queries
    return ObservedWorkload("traffic", queries, existing, MEAN_TIME), not found.skipped


def _space(
    connection: Connection, whole: KnobSpace, request: ObserveRequest, profile: Profile | None
) -> KnobSpace:
    """The knobs that the traffic can respond to; all kinds where it is not known in full."""
    if request.knobs is not None:
        return whole.subset(request.knobs)
    kind = "mixed" if profile is None else profile.kind
    space = relevant(whole, kind, jit=jit_available(connection))
    if not space.knobs:
        raise TargetError(
            f"this login can change none of the knobs that matter to the traffic, only "
            f"{', '.join(whole.names)}; `llmtune doctor` says what is in the way of the others"
        )
    return space
