"""What the user asked of `llmtune tune`, checked as far as it can be without a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llmtune.cli.observe_request import ObserveRequest
from llmtune.cli.safety import somebody_answers
from llmtune.cli.search_options import SearchOptions
from llmtune.errors import UsageError
from llmtune.model.warm_start import WarmStart
from llmtune.postgres.live.address import is_address
from llmtune.tuning.plan import Plan
from llmtune.tuning.requests import TargetRequest, WorkloadRequest
from llmtune.tuning.server_facts import Risks


@dataclass(frozen=True, slots=True)
class TuneRequest:
    """Everything that decides what a session does.

    Attributes:
        measured: a workload that is run, or the traffic that is there.
        plan: as the options have it; how many clients there are, only the server tells.
        out: folder for the result.
        apply: the answer is to stay in force.
        dry_run: nothing is run and nothing written.
    """

    target: TargetRequest
    measured: ObserveRequest | WorkloadRequest
    warm_start: WarmStart
    search: SearchOptions
    plan: Plan
    risks: Risks
    seed: int
    out: Path
    apply: bool
    dry_run: bool


def check_apply(target: str, *, asks: bool) -> None:
    """Refuse at once what an hour of trials would find out at its end.

    Args:
        target: as the user wrote it.
        asks: the user has to agree before anything is applied.

    Raises:
        UsageError: nothing could be applied.
    """
    if not is_address(target):
        raise UsageError("--apply goes with a server's address; other servers are thrown away")
    if asks and not somebody_answers():
        raise UsageError(
            "--apply asks before it leaves anything changed; where nobody can answer, give --yes"
        )
