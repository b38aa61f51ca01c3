"""The rule-based configuration for the workload and the server at hand."""

from __future__ import annotations

from collections.abc import Iterable

from llmtune.benchmark.observe import ObservedWorkload
from llmtune.cli.bench import Bench
from llmtune.cli.progress import Reporter
from llmtune.cli.recordings import RecordedBench
from llmtune.cli.warm_start import WarmStart
from llmtune.knobs.storage import Storage
from optimizers.rules import WorkloadType
from optimizers.warm_start import Proposal, rules_proposal
from workloads.workload import TransactionMix

UNSEEN = "What the server's data lie on cannot be seen and is taken for SSD; --storage says it"


def rules_for(stage: Bench | RecordedBench) -> Proposal:
    """The rules' proposal, for SSD where the storage is not known."""
    storage = stage.storage if isinstance(stage, Bench) else None
    return rules_proposal(stage.space, stage.busy, _type_of(stage), storage or Storage.SSD)


def warn_of_storage(warm_starts: Iterable[WarmStart], bench: Bench, reporter: Reporter) -> None:
    """Tell once what the rules take for granted, if one of the warm starts has them."""
    if bench.storage is None and any(one.has_rules for one in warm_starts):
        reporter.say(UNSEEN)


def _type_of(stage: Bench | RecordedBench) -> WorkloadType:
    """Transactions are OLTP, queries a data warehouse's unless some of them write."""
    if isinstance(stage, Bench):
        if isinstance(stage.workload, TransactionMix):
            return WorkloadType.OLTP
        if isinstance(stage.workload, ObservedWorkload):  # traffic is known in part at best
            return WorkloadType.MIXED
    return WorkloadType.WAREHOUSE if stage.profile.kind == "analytic" else WorkloadType.MIXED
