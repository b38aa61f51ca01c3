"""The seam between whoever proposes configurations and whoever measures them."""

from __future__ import annotations

from typing import Protocol

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial
from workloads.objective import Objective


class Evaluator(Protocol):
    """Measures one workload on one target under any configuration of one knob space."""

    @property
    def space(self) -> KnobSpace:
        """The knobs that `measure` can apply."""
        ...

    @property
    def objective(self) -> Objective:
        """What a trial's value means."""
        ...

    def measure(
        self,
        configuration: Configuration,
        *,
        number: int,
        source: str,
        cap: float | None = None,
    ) -> Trial:
        """Apply, read back, warm and measure; whatever goes wrong is the trial's status.

        Args:
            configuration: complete and valid in `space`.
            number: the trial's position in its session.
            source: who proposed the configuration.
            cap: in the objective's unit; once the value is certain to be worse
                the trial may stop there as CAPPED. None: run to the end; only what
                was taken back from a server at work for its harm is CAPPED then.

        Raises:
            TargetError: the server could not be brought back up; no trial was made.
        """
        ...
