"""Building a transaction mix: what the user may choose, and scripts with their statements."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from llmtune.errors import UsageError
from workloads.objective import P95, THROUGHPUT, Objective
from workloads.options import WorkloadOptions, check_scale
from workloads.workload import DataSet, Query, Transaction, TransactionMix

OBJECTIVES = {objective.name: objective for objective in (THROUGHPUT, P95)}
CLIENTS = 8
DURATION_S = 15.0
"""Long enough that the noise of a run is a few percent; checkpoints by time do not occur in it."""

LARGEST_CLIENTS = 1000
"""Each has a thread of pgbench's and a process of the server's."""

_VARIABLE = re.compile(r"(?<!:):([a-z]\w*)")
"""As pgbench reads it: a colon and a name, but not the cast `::type`."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What decides a mix, with the user's choices and else the defaults."""

    scale: float
    clients: int
    duration_s: float
    objective: Objective
    seed: int | None


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement of a transaction, with pgbench's `:variables`, no semicolon.

    Attributes:
        name: unique in its transaction.
        gset: the names of its columns become variables of the script.
    """

    name: str
    sql: str
    writes: bool = False
    gset: bool = False

    @property
    def line(self) -> str:
        """As it stands in a script of pgbench's."""
        return f"{self.sql} \\gset" if self.gset else f"{self.sql};"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of transaction.

    Attributes:
        weight: percent of the mix's transactions.
        draws: each variable's expression, in pgbench's language, in order.
        body: the statements, and between them lines such as `BEGIN;` as they are.
    """

    name: str
    weight: float
    draws: Mapping[str, str]
    body: tuple[Statement | str, ...]

    def transaction(self) -> Transaction:
        """It as pgbench runs it."""
        draws = [f"\\set {name} {expression}" for name, expression in self.draws.items()]
        body = [part if isinstance(part, str) else part.line for part in self.body]
        return Transaction(self.name, "\n".join([*draws, *body, ""]), self.weight)

    def queries(self, schema: str, values: Mapping[str, str]) -> Iterator[Query]:
        """Its statements with these values in place of the variables."""
        for part in self.body:
            if isinstance(part, Statement):
                sql = _VARIABLE.sub(lambda found: values[found.group(1)], part.sql)
                template = f"{schema}-{self.name}"
                yield Query(f"{self.name}.{part.name}", sql, template, self.weight, part.writes)


def choices(workload: str, options: WorkloadOptions, default_scale: float) -> Choices:
    """The user's options, checked.

    Raises:
        UsageError: an objective that a transaction mix does not have, or a value out of range.
    """
    objective = options.objective or THROUGHPUT.name
    if objective not in OBJECTIVES:
        raise UsageError(
            f"{workload} is tuned for {' or '.join(OBJECTIVES)}, not for {objective!r}"
        )
    return Choices(
        scale=check_scale(default_scale if options.scale is None else options.scale),
        clients=_clients(CLIENTS if options.clients is None else options.clients),
        duration_s=_duration(DURATION_S if options.duration_s is None else options.duration_s),
        objective=OBJECTIVES[objective],
        seed=options.seed,
    )


def transaction_mix(
    workload: str,
    chosen: Choices,
    kinds: Sequence[Kind],
    typical: Mapping[str, str],
    data_set: DataSet,
) -> TransactionMix:
    """The mix of these kinds.

    Its name says scale, clients and seed: whatever decides the stream of requests.

    Args:
        typical: a value for each variable, to explain statements with.
    """
    seed = "" if chosen.seed is None else f"-seed{chosen.seed}"
    return TransactionMix(
        name=f"{workload}-sf{chosen.scale:.15g}-c{chosen.clients}{seed}",
        transactions=tuple(kind.transaction() for kind in kinds),
        queries=tuple(query for kind in kinds for query in kind.queries(data_set.schema, typical)),
        data_set=data_set,
        objective=chosen.objective,
        clients=chosen.clients,
        duration_s=chosen.duration_s,
    )


def _clients(clients: int) -> int:
    if not 1 <= clients <= LARGEST_CLIENTS:
        raise UsageError(f"clients must be from 1 to {LARGEST_CLIENTS}, not {clients}")
    return clients


def _duration(seconds: float) -> float:
    """pgbench counts whole seconds."""
    if not (seconds >= 1 and isfinite(seconds) and seconds == int(seconds)):
        raise UsageError(f"the duration must be a whole number of seconds, not {seconds}")
    return seconds
