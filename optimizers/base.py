"""The ask/tell interface that every optimizer implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from llmtune.knobs.configuration import Configuration
from llmtune.knobs.space import KnobSpace
from llmtune.trial import Trial
from optimizers.projection import Projection
from workloads.objective import Objective


class Optimizer(ABC):
    """Proposes configurations and learns from their trials.

    The contract, which one conformance suite checks for every implementation:

    - `ask` returns a configuration valid in `space`, and may be called again, for another
      configuration, before the answer to the last one is told. It waits for no server,
      but for one that looks at plans: that one has them shown by EXPLAIN, and runs nothing.
    - `tell` accepts any trial of any status, also of configurations that it
      never proposed: warm starts and replays of a journal are just tells.
    - `learn` alone takes in prior data, which are no trials of this session: none of
      them becomes the incumbent or is in force on the server.
    - The same seed and the same tells give the same asks; where plans are looked at, also
      only as long as the server shows the same ones.

    Subclasses implement `ask` and `learn`; `tell` keeps the incumbent.

    Attributes:
        startup_trials: trials, warm starts among them, after which a model takes over from
            random draws; 0 where their number does not decide.
    """

    name: str
    startup_trials: int = 0

    def __init__(self, space: KnobSpace, objective: Objective, seed: int) -> None:
        self.space = space
        self.objective = objective
        self.seed = seed
        self._best: Trial | None = None

    @abstractmethod
    def ask(self) -> Configuration:
        """The next configuration to try."""

    @abstractmethod
    def learn(self, trial: Trial) -> None:
        """Take one trial into the model; failures and bounds are data too."""

    def tell(self, trial: Trial) -> None:
        """Report one finished trial."""
        if is_better(trial, self._best, self.objective):
            self._best = trial
        self.learn(trial)

    @property
    def best(self) -> Trial | None:
        """The incumbent's trial: the best that succeeded, None before any did."""
        return self._best


class Build(Protocol):
    """What makes an optimizer: its class, or that with some of its arguments bound."""

    def __call__(
        self, space: KnobSpace, objective: Objective, seed: int, project: Projection
    ) -> Optimizer:
        """A new optimizer whose asks `project` brings into what may be applied."""
        ...


class Wrapping(Optimizer):
    """Passes everything on as what it is; subclasses override what they change of that.

    The incumbent is the wrapped optimizer's, which is told the same trials.
    """

    def __init__(self, inner: Optimizer) -> None:
        super().__init__(inner.space, inner.objective, inner.seed)
        self.name = inner.name
        self.startup_trials = inner.startup_trials
        self._inner = inner

    def ask(self) -> Configuration:
        """The wrapped optimizer's."""
        return self._inner.ask()

    def tell(self, trial: Trial) -> None:
        """To the wrapped optimizer, which learns it too."""
        self._inner.tell(trial)

    def learn(self, trial: Trial) -> None:
        """To the wrapped optimizer; prior data are only learnt there too."""
        self._inner.learn(trial)

    @property
    def best(self) -> Trial | None:
        """The wrapped optimizer's."""
        return self._inner.best


def is_better(trial: Trial, incumbent: Trial | None, objective: Objective) -> bool:
    """Whether `trial` succeeded with a better value than `incumbent` (None: with any)."""
    if not trial.succeeded or trial.value is None:
        return False
    if incumbent is None or incumbent.value is None:
        return True
    return objective.better(trial.value, incumbent.value)
