"""What a session is: the facts that are fixed when it starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

import llmtune
from llmtune.errors import SessionError, UsageError
from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.hardware import Hardware
from llmtune.secrets import redacted
from llmtune.trial import Pace, QueryTime, Trial, TrialStatus
from llmtune.tuning.origin import Origin
from llmtune.tuning.plan import Plan, plan_from
from optimizers.warm_start import Proposal
from workloads.objective import Direction, Objective


class SessionStatus(StrEnum):
    """Where a stored session stands. All but FINISHED can be resumed."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"


class Phase(StrEnum):
    """What a trial was measured for."""

    SEARCH = "search"
    PRUNE = "prune"
    CONFIRM = "confirm"


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for: names, seed and plan.

    Attributes:
        origin: where it came from, with which it can go on.
    """

    target: str
    workload: str
    optimizer: str
    warm_start: str
    seed: int
    plan: Plan
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UsageError(f"the seed must be 0 or more, not {self.seed}")


PRIOR = "prior"
"""The source of observations that were made in another session."""


@dataclass(frozen=True, slots=True)
class Prior:
    """One observation of an earlier session, no trial of this one.

    Attributes:
        session: the earlier session's id.
        value: None unless it SUCCEEDED or was CAPPED.
        pace: what this session's trials are to be held against too; None where none was
            taken out, and in sessions of before it was kept.
        query_times: as `Trial.query_times`; none in sessions of before they were kept.
    """

    session: str
    configuration: Configuration
    status: TrialStatus
    value: float | None
    pace: Pace | None = None
    query_times: tuple[QueryTime, ...] = ()

    @property
    def trial(self) -> Trial:
        """As optimizers are told it; its number is none of this session's."""
        return Trial(
            number=-1,
            source=PRIOR,
            configuration=self.configuration,
            status=self.status,
            value=self.value,
            query_times=self.query_times,
            pace=self.pace,
        )

    def held_against(self, reference_s: float) -> Prior:
        """As `Trial.held_against`."""
        held = self.trial.held_against(reference_s)
        return replace(self, value=held.value, pace=held.pace, query_times=held.query_times)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """The fixed facts of one session.

    Attributes:
        target, workload: names for people; passwords are taken out of the target's.
        warm_start: the source of the warm start, such as `model`.
        knobs: the names of the tuned knobs.
        proposals: what is tried before the optimizer's own configurations, once each; a
            configuration that several sources proposed, or the default, stands here too.
        suggest_s: seconds spent on making the proposals.
        prior: observations of earlier sessions that the optimizer starts from.
        origin: where it came from, with which it can go on; no password.
    """

    id: str
    target: str
    workload: str
    hardware: Hardware
    server_version: int
    catalogue_hash: str
    knobs: tuple[str, ...]
    objective: Objective
    optimizer: str
    warm_start: str
    seed: int
    plan: Plan
    proposals: tuple[Proposal, ...] = field(default=())
    suggest_s: float = 0.0
    prior: tuple[Prior, ...] = field(default=())
    origin: Origin = field(default_factory=Origin)
    code_version: str = llmtune.__version__

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", redacted(self.target))

    def facts(self) -> dict[str, Any]:
        """Everything but id, target and workload, as JSON values."""
        facts = asdict(self)
        for column in ("id", "target", "workload"):
            del facts[column]
        facts["proposals"] = [
            {"source": p.source, "configuration": dict(p.configuration)} for p in self.proposals
        ]
        facts["prior"] = [
            {**asdict(one), "configuration": dict(one.configuration)} for one in self.prior
        ]
        facts["origin"] = self.origin.to_json()
        return facts

    @classmethod
    def from_facts(
        cls, session_id: str, target: str, workload: str, facts: dict[str, Any]
    ) -> SessionRecord:
        """The record that `facts` was made from.

        Raises:
            SessionError: a fact is missing or of the wrong kind.
        """
        try:
            rest = dict(facts)
            objective = dict(rest.pop("objective"))
            return cls(
                id=session_id,
                target=target,
                workload=workload,
                hardware=Hardware(**rest.pop("hardware")),
                objective=Objective(
                    objective["name"], objective["unit"], Direction(objective["direction"])
                ),
                knobs=tuple(rest.pop("knobs")),
                plan=plan_from(rest.pop("plan")),
                proposals=tuple(map(_proposal, rest.pop("proposals"))),
                prior=tuple(map(_prior, rest.pop("prior", ()))),
                origin=Origin.from_json(rest.pop("origin", {})),
                **rest,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SessionError(
                f"session {session_id} is stored in a form unknown here: {error}"
            ) from error


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One trial with what the session knows about it beyond its measurement.

    Attributes:
        ask_s: seconds the optimizer took to propose it.
        restart_s: seconds of the trial's `wall_s` spent on restarting the server.
    """

    phase: Phase
    trial: Trial
    ask_s: float = 0.0
    restart_s: float = 0.0


def _proposal(stored: dict[str, Any]) -> Proposal:
    values: dict[str, Value] = stored["configuration"]
    return Proposal(stored["source"], Configuration(values))


def _prior(stored: dict[str, Any]) -> Prior:
    pace = stored.get("pace")
    return Prior(
        session=stored["session"],
        configuration=Configuration(stored["configuration"]),
        status=TrialStatus(stored["status"]),
        value=stored["value"],
        pace=None if pace is None else Pace(**pace),
        query_times=tuple(QueryTime(**one) for one in stored.get("query_times", ())),
    )
