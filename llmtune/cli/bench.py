"""Everything that a measuring command needs, opened in the right order."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.markup import escape

from llmtune.benchmark.benchmark import Benchmark
from llmtune.benchmark.evaluator import Evaluator
from llmtune.benchmark.measure_options import MeasureOptions
from llmtune.benchmark.observe import ObservedWorkload
from llmtune.benchmark.transactions import TransactionBenchmark
from llmtune.cli.own_queries import CAPTURED, captured, check_data, measure_options, tried
from llmtune.cli.progress import Reporter
from llmtune.cli.safety import Safety
from llmtune.cli.server_report import summary
from llmtune.cli.synthesized import live_data, synthesized
from llmtune.cli.targets import open_target, storage_of
from llmtune.errors import UsageError
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.relevance import relevant
from llmtune.knobs.space import KnobSpace
from llmtune.knobs.storage import Storage
from llmtune.model.stage import type_of_queries
from llmtune.postgres.databases import exists
from llmtune.postgres.dsn import DsnTarget
from llmtune.postgres.load import database_name, ensure_loaded
from llmtune.postgres.originals import Journal
from llmtune.postgres.planners import USUAL_TABLES, planners
from llmtune.postgres.profile import Profile, profile_workload
from llmtune.postgres.server_settings import jit_available
from llmtune.postgres.target import Target
from llmtune.postgres.tunable import present_in, tunable_space
from llmtune.postgres.what_if import WhatIfFeatures
from llmtune.tuning.guards import ServerFacts, refusal
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from llmtune.tuning.server_facts import Risks, facts_of
from optimizers.rules import WorkloadType
from workloads.registry import is_live, workload
from workloads.workload import AnyWorkload, DataSet, ExistingDatabase, TransactionMix, Workload


@dataclass(frozen=True, slots=True)
class Bench:
    """An opened target with a loaded workload.

    Attributes:
        whole: the knob space of all knobs that the target can change.
        space: the part of it that the workload responds to.
        facts: what the guards know of the server.
        storage: what its data lie on; None: not known.
        journal: told before each change of a server that outlives us.
        measure: how its queries are measured.
    """

    target: Target
    whole: KnobSpace
    space: KnobSpace
    workload: AnyWorkload
    database: str
    profile: Profile
    facts: ServerFacts
    journal: Journal | None = None
    measure: MeasureOptions = field(default_factory=MeasureOptions)
    storage: Storage | None = None

    @property
    def busy(self) -> int:
        """Sessions for which the guards count the memory."""
        return self.facts.clients

    @property
    def workload_type(self) -> WorkloadType:
        """Transactions are OLTP, queries a data warehouse's unless some of them write."""
        if isinstance(self.workload, TransactionMix):
            return WorkloadType.OLTP
        if isinstance(self.workload, ObservedWorkload):  # traffic is known in part at best
            return WorkloadType.MIXED
        return type_of_queries(self.profile)

    def restart_clock(self) -> float:
        """Seconds that the target has spent restarting so far."""
        return self.target.restart_seconds

    def benchmark(self) -> Evaluator:
        """What measures the workload on the target, over `space`."""
        if isinstance(self.workload, TransactionMix):
            return TransactionBenchmark(
                self.target,
                self.space,
                self.workload,
                self.database,
                self.measure,
                journal=self.journal,
            )
        return self.query_benchmark()

    def query_benchmark(self) -> Benchmark:
        """What measures the workload's queries, also each by itself.

        Raises:
            UsageError: the workload is a transaction mix.
        """
        wanted = query_workload(self.workload)
        return Benchmark(
            self.target, self.space, wanted, self.database, self.measure, journal=self.journal
        )

    def what_if_features(self) -> WhatIfFeatures:
        """What plans show of the workload under a configuration; plans it once."""
        return WhatIfFeatures(self.target, self.database, self.workload, self.space)


@contextmanager
def opened(
    request: TargetRequest, reporter: Reporter, safety: Safety
) -> Iterator[tuple[Target, Journal | None, KnobSpace]]:
    """The target in `safety`'s care, with its journal and all knobs that it can change.

    What is possible there is told first. Leaving puts the target's original settings back.
    """
    with open_target(request) as target, safety.guard(target) as journal:
        _announce(target, reporter)
        yield target, journal, tunable_space(target, durability=safety.risks.durability)


@contextmanager
def open_bench(
    target_request: TargetRequest,
    workload_request: WorkloadRequest,
    reporter: Reporter,
    safety: Safety,
    *,
    queries_only: bool = False,
    load: bool = True,
    measured: bool = True,
    proven: Collection[str] = (),
) -> Iterator[Bench]:
    """Open the target, load the workload's data set once, and profile it.

    A wrong request fails before any server is started. Leaving puts the target's
    original settings back.

    Args:
        safety: keeps what a server that outlives us had before.
        queries_only: a transaction mix is a wrong request.
        load: False only reads: what has to be loaded or run first is refused.
        measured: the user's own queries are tried once, as they will be run; else planned.
        proven: ids of those that ran in time before, where a measurement goes on.
    """
    options = workload_request.options
    known = _known(target_request, workload_request, load=load)
    if queries_only and known is not None:
        query_workload(known)
    with opened(target_request, reporter, safety) as (target, journal, tunable):
        wanted = known or _live(target, workload_request, reporter)
        if not load:
            _check_loaded(target, wanted.data_set)
        database = _database(target, wanted.data_set, reporter)
        existing = isinstance(wanted.data_set, ExistingDatabase)
        whole = present_in(tunable, target, database) if existing else tunable
        with planners(target, database, USUAL_TABLES * len(wanted.queries)) as (
            connection,
            *others,
        ):
            wanted = tried(
                connection, wanted, options, reporter, measured=measured and load, proven=proven
            )
            profile = profile_workload(connection, wanted, target.hardware, target.version, others)
            space = relevant(whole, profile.kind, jit=jit_available(connection))
        facts = facts_of(target, wanted.clients, safety.risks)
        measure = measure_options(options)
        storage = storage_of(target_request, target)
        yield Bench(
            target, whole, space, wanted, database, profile, facts, journal, measure, storage
        )


def _known(target: TargetRequest, request: WorkloadRequest, *, load: bool) -> AnyWorkload | None:
    """The workload, checked against the target; None when only the server can tell it."""
    if is_live(request.name):
        if not load and request.name != CAPTURED:
            raise UsageError(
                f"the workload {request.name} is made by running each query once, and this "
                "command runs none; name queries that exist: captured, a .sql file or a folder"
            )
        check_data(target.target, request.name, live_data(request.options))
        return None
    wanted = workload(request.name, request.options)
    check_data(target.target, request.name, wanted.data_set)
    return wanted


def _live(target: Target, request: WorkloadRequest, reporter: Reporter) -> Workload:
    """The workload that only the server can tell, over data that are loaded for it."""
    if request.name == CAPTURED:
        return captured(target, request.options, reporter)
    data = live_data(request.options)
    with target.connect(_database(target, data, reporter)) as connection:
        return synthesized(connection, data, request.options, reporter)


def refused_now(bench: Bench, configuration: Configuration, risks: Risks) -> str:
    """Why a configuration may not stay, with the sessions that are open by now; empty: it may."""
    facts = facts_of(bench.target, bench.workload.clients, risks)
    return refusal(configuration, bench.space, facts)


def _check_loaded(target: Target, data: DataSet | ExistingDatabase) -> None:
    if isinstance(data, ExistingDatabase):
        return
    name = database_name(data)
    with target.connect() as connection:
        if not exists(connection, name):
            raise UsageError(
                f"the data set {data.name} is not on {target.name} yet, and this command "
                f"loads nothing: tuning would load it into a new database {name}"
            )


def _announce(target: Target, reporter: Reporter) -> None:
    """Tell what is possible on somebody's server before anything is touched."""
    if isinstance(target, DsnTarget):
        for line in summary(target.report):
            reporter.say(escape(line))


def query_workload(wanted: AnyWorkload) -> Workload:
    """The workload itself, if it is one of queries.

    Raises:
        UsageError: it is a transaction mix.
    """
    if isinstance(wanted, TransactionMix):
        raise UsageError(
            f"{wanted.name} is a transaction mix, which is measured as a whole; training data and "
            "the optimizer plan need queries that are measured one by one, such as those of tpch"
        )
    return wanted


def _database(target: Target, data: DataSet | ExistingDatabase, reporter: Reporter) -> str:
    """Where a workload's data lie, loaded now unless they are there already."""
    if isinstance(data, ExistingDatabase):
        with target.connect(data.database) as connection:
            return connection.info.dbname
    with reporter.bar(f"Loading {data.name}") as progress:
        return ensure_loaded(target, data, progress)
