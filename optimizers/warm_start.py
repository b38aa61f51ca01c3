"""Warm starts: configurations to try before an optimizer's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.knobs.storage import Storage
from llmtune.trial import Trial
from optimizers.base import Optimizer, Wrapping
from optimizers.rules import WorkloadType, rule_configuration


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration and who proposed it: `default`, `rules`, `model`, an optimizer."""

    source: str
    configuration: Configuration


def default_proposal(space: KnobSpace) -> Proposal:
    """The baseline, the server's defaults or present values: what every session measures first."""
    return Proposal("default", space.baseline())


def rules_proposal(
    space: KnobSpace,
    clients: int = 1,
    workload: WorkloadType = WorkloadType.WAREHOUSE,
    storage: Storage = Storage.SSD,
) -> Proposal:
    """The rule-based configuration."""
    return Proposal("rules", rule_configuration(space, clients, workload, storage))


def portfolio(*proposals: Proposal) -> tuple[Proposal, ...]:
    """The proposals in order, each configuration once, under its first source."""
    unique: dict[Configuration, Proposal] = {}
    for proposal in proposals:
        unique.setdefault(proposal.configuration, proposal)
    return tuple(unique.values())


class WarmStarted(Wrapping):
    """Asks its proposals first, each once, then the optimizer it wraps.

    Every trial goes to the wrapped optimizer, so it starts with the proposals'
    results. A proposal that was told already, as in a replayed journal, is not
    asked again; prior data, which are only learnt, answer no proposal.
    """

    def __init__(self, inner: Optimizer, proposals: Iterable[Proposal]) -> None:
        super().__init__(inner)
        self._waiting = list(proposals)
        self._asked: list[Proposal] = []

    def propose(self) -> Proposal:
        """The next configuration together with its source."""
        if not self._waiting:
            return Proposal(self.name, super().ask())
        proposal = self._waiting.pop(0)
        self._asked.append(proposal)
        return proposal

    def ask(self) -> Configuration:
        """The next configuration."""
        return self.propose().configuration

    def tell(self, trial: Trial) -> None:
        """Strike the proposal off that this trial answers, and pass the trial on."""
        for proposals in (self._asked, self._waiting):
            answered = next((p for p in proposals if p.configuration == trial.configuration), None)
            if answered is not None:
                proposals.remove(answered)
                break
        super().tell(trial)
