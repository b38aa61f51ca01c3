"""One pass over a workload's queries, capped when it is sure to be too slow."""

from __future__ import annotations

import math
from dataclasses import dataclass

from llmtune.benchmark.queries import QueryOutcome, run_query
from llmtune.postgres.target import Connection
from llmtune.trial import TrialStatus
from workloads.workload import Workload


@dataclass(frozen=True, slots=True)
class PassResult:
    """What one pass over the queries gave.

    Attributes:
        status: SUCCEEDED, CAPPED, or that of the query which ended the pass.
        total: weighted seconds; of a CAPPED pass the cap, a lower bound.
        outcomes: of the queries as far as the pass came.
    """

    status: TrialStatus
    total: float
    outcomes: tuple[QueryOutcome, ...]
    message: str = ""

    @property
    def query_seconds(self) -> float:
        """Unweighted seconds in which queries ran."""
        return sum(outcome.seconds for outcome in self.outcomes)


def run_pass(
    connection: Connection, workload: Workload, query_timeout_s: float, cap: float | None = None
) -> PassResult:
    """Run every query once, in order, until done, capped or failed.

    Args:
        query_timeout_s: limit for one query; reaching it ends the pass as TIMED_OUT.
        cap: limit for the weighted total, seconds; reaching it ends it as CAPPED.
    """
    total, outcomes, limit = 0.0, [], math.inf if cap is None else cap
    for query in workload.queries:
        left = max((limit - total) / query.weight, 0.0)
        outcome = run_query(connection, query, min(query_timeout_s, left))
        outcomes.append(outcome)
        total += query.weight * outcome.seconds
        if outcome.status is TrialStatus.TIMED_OUT and left <= query_timeout_s:
            message = f"stopped in {query.id} at the cap of {limit:.3g} s"
            return PassResult(TrialStatus.CAPPED, limit, tuple(outcomes), message)
        if outcome.status is not TrialStatus.SUCCEEDED:
            message = f"query {query.id}: {outcome.message}"
            return PassResult(outcome.status, total, tuple(outcomes), message)
    return PassResult(TrialStatus.SUCCEEDED, total, tuple(outcomes))
