"""Which savings a search's trials may make, and the seam through which they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

from llmtune.errors import UnknownName
from llmtune.knobs.configuration import Configuration
from llmtune.trial import Trial


@dataclass(frozen=True, slots=True)
class CheapTrials:
    """Savings of search trials, each by itself; a final decision makes none of them.

    Attributes:
        cap: a trial is stopped when its value is sure to be worse than so many times the
            incumbent's; `order` and `bounds` only help to be sure of that sooner.
        order: queries that tell configurations apart come first in the timed pass,
            so that a bad configuration reaches its cap early.
        bounds: a trial is stopped once what it took and the fastest known times of
            the queries still to come exceed its cap. With a cap of 1.5 times the incumbent
            it would have been better only if those undercut their fastest known times by
            half the incumbent's value.
        skip_warm: only what this run of the server has not read yet is warmed.
        save_restarts: a proposal whose restart knobs lie within a level of those in
            force keeps them, and `plan` weighs what a restart takes; for a session with
            a server of its own alone.
        reuse: a query whose plan and run-time knobs are those of earlier trials
            takes its time from them.

    What may be the best so far is measured whole, and timed twice unless it surely is: a part of
    what is spared.
    """

    cap: bool = True
    order: bool = False
    bounds: bool = False
    skip_warm: bool = False
    save_restarts: bool = False
    reuse: bool = False

    @property
    def measured_cheaply(self) -> bool:
        """Whether any saving is made while measuring, and not only while proposing."""
        return self.order or self.bounds or self.skip_warm or self.reuse


FULL_TRIALS = CheapTrials(cap=False)
"""No saving: every trial warms and runs every query, in the workload's order."""

ONLY_CAPPED = CheapTrials()
"""As searches on a recorded benchmark are, and those of before there were other savings."""

ALL_SAVINGS = CheapTrials(**{field.name: True for field in fields(CheapTrials)})

SAVINGS = {
    "cap": "cap",
    "order": "order",
    "bounds": "bounds",
    "warm": "skip_warm",
    "restarts": "save_restarts",
    "reuse": "reuse",
}
"""What users call each saving, and its field."""

TO_THE_CAP = {"order", "bounds"}
"""Fields of what saves nothing unless trials are capped."""


def parse_savings(text: str) -> CheapTrials:
    """What trials may spare: `all`, `none`, or names of savings with commas between them.

    Those that help to reach the cap bring it with them.

    Raises:
        UnknownName: there is no such saving.
    """
    whole = {"all": ALL_SAVINGS, "none": FULL_TRIALS}
    if text in whole:
        return whole[text]
    chosen = [name.strip() for name in text.split(",")]
    for name in chosen:
        if name not in SAVINGS:
            raise UnknownName("saving", name, (*SAVINGS, *whole))
    made = {SAVINGS[name] for name in chosen}
    if made & TO_THE_CAP:
        made.add("cap")
    return CheapTrials(**{field: field in made for field in SAVINGS.values()})


def savings_text(cheap: CheapTrials) -> str:
    """What `parse_savings` reads as these savings."""
    made = [name for name, field in SAVINGS.items() if getattr(cheap, field)]
    return "all" if len(made) == len(SAVINGS) else ",".join(made) or "none"


@runtime_checkable
class MeasuresCheaply(Protocol):
    """An evaluator that can save work where a trial need not decide anything for good."""

    def measure_cheaply(
        self,
        configuration: Configuration,
        *,
        number: int,
        source: str,
        cheap: CheapTrials,
        earlier: Sequence[Trial],
        cap: float | None = None,
    ) -> Trial:
        """As `Evaluator.measure`, with savings that follow from `earlier` alone.

        Args:
            earlier: the session's search trials so far, in order.
        """
        ...
