"""What every optimizer must do. Inherit `OptimizerConformance` and say how to build one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

import pytest

from llmtune.benchmark.synthetic import Behaviour, SyntheticEvaluator
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.memory import fits
from llmtune.knobs.space import KnobSpace, resolve_space
from llmtune.trial import Trial, TrialStatus
from optimizers.base import Optimizer
from optimizers.projection import memory_projection
from optimizers.random_search import RandomSearch
from workloads.objective import LATENCY, THROUGHPUT, Objective

WITHOUT_VALUE = [
    TrialStatus.CRASHED,
    TrialStatus.REJECTED,
    TrialStatus.TIMED_OUT,
    TrialStatus.FAILED,
]


def knob_space(memory: int = 4 << 30) -> KnobSpace:
    return resolve_space(load_catalogue(), 18, Hardware(2, memory))


def succeeded(number: int, configuration: Configuration, value: float) -> Trial:
    return Trial(number, "test", configuration, TrialStatus.SUCCEEDED, value)


class OptimizerConformance(ABC):
    """Inheritable suite: one test for each promise of `Optimizer`.

    Attributes:
        trials: how many trials a test drives; beyond the random start, but a slow
            backend may stop soon behind it.
        learns: whether its asks follow from what trials were worth; the controls' do not.
        proposed: how many asks a warm start decides before its own.
        roomy: whether it finds something new to ask each time; not where few choices are left.
    """

    trials = 14
    learns = True
    proposed = 0
    roomy = True

    @abstractmethod
    def build(self, space: KnobSpace, objective: Objective, seed: int) -> Optimizer:
        """A new optimizer under test."""

    @pytest.fixture
    def space(self) -> KnobSpace:
        return knob_space()

    def drive(self, optimizer: Optimizer, trials: int, seed: int = 0) -> list[Trial]:
        """Tell `trials` answers of a synthetic evaluator that also crashes and caps."""
        objective = optimizer.objective
        evaluator = SyntheticEvaluator(optimizer.space, seed, Behaviour(crash_share=0.2), objective)
        done = []
        for number in range(trials):
            asked, best = optimizer.ask(), optimizer.best
            known = None if best is None else best.value
            cap = None if known is None else objective.worse_by(1.2, known)
            trial = evaluator.measure(asked, number=number, source="test", cap=cap)
            optimizer.tell(trial)
            done.append(trial)
        return done

    def first_own(self, optimizer: Optimizer) -> Configuration:
        """The first ask that no warm start decides."""
        for _ in range(self.proposed):
            optimizer.ask()
        return optimizer.ask()

    def test_every_ask_is_valid_and_fits_the_memory(self, space):
        optimizer = self.build(space, LATENCY, 2**32 - 1)  # the largest seed that users can give
        for trial in self.drive(optimizer, self.trials):
            space.validate(trial.configuration)
            assert fits(trial.configuration, space)

    def test_the_same_seed_gives_the_same_asks(self, space):
        first = self.drive(self.build(space, LATENCY, 5), self.trials)
        second = self.drive(self.build(space, LATENCY, 5), self.trials)
        assert [t.configuration for t in first] == [t.configuration for t in second]

    def test_another_seed_gives_other_asks(self, space):
        asked = {self.first_own(self.build(space, LATENCY, seed)) for seed in range(4)}
        assert len(asked) == 4

    def test_asks_without_tells_differ(self, space):
        optimizer = self.build(space, LATENCY, 2)
        assert len({optimizer.ask() for _ in range(5)}) == 5

    def test_asks_beside_open_ones_are_new_and_a_replay_goes_on(self, space):
        """Two are always open, as where trials run side by side."""
        whole, evaluator = self.build(space, LATENCY, 2), SyntheticEvaluator(space, 0)
        asked, journal = [whole.ask(), whole.ask()], []
        while len(journal) < len(asked):
            number = len(journal)
            journal.append(evaluator.measure(asked[number], number=number, source="test"))
            whole.tell(journal[-1])
            if number < self.trials:
                asked.append(whole.ask())
        assert len(set(asked)) == len(asked) or not self.roomy
        resumed = self.build(space, LATENCY, 2)
        for trial in journal:
            resumed.tell(trial)
        assert resumed.ask() == whole.ask()

    def test_a_replayed_journal_goes_on_as_if_never_stopped(self, space):
        whole = self.build(space, LATENCY, 3)
        journal = self.drive(whole, self.trials - 1)
        # Few trials of a slow backend may all be better than the one before: a bound for sure.
        journal.append(Trial(self.trials, "test", whole.ask(), TrialStatus.CAPPED, 30.0))
        whole.tell(journal[-1])
        resumed = self.build(space, LATENCY, 3)
        for trial in journal:
            resumed.tell(trial)
        asked = [whole.ask() for _ in range(3)]  # some decide by chance how to choose
        assert len(set(asked)) == len(asked) or not self.roomy
        assert [resumed.ask() for _ in range(3)] == asked
        assert resumed.best == whole.best

    @pytest.mark.parametrize("status", WITHOUT_VALUE)
    def test_failures_are_told_and_never_become_the_incumbent(self, space, status):
        optimizer = self.build(space, LATENCY, 4)
        for number in range(self.trials):
            optimizer.tell(Trial(number, "test", optimizer.ask(), status))
        assert optimizer.best is None
        space.validate(optimizer.ask())

    def test_a_capped_trial_is_no_incumbent(self, space):
        optimizer = self.build(space, LATENCY, 4)
        optimizer.tell(succeeded(0, space.default(), 9.0))
        optimizer.tell(Trial(1, "test", optimizer.ask(), TrialStatus.CAPPED, 1.0))
        assert optimizer.best is not None
        assert optimizer.best.value == 9.0

    def test_it_learns_from_configurations_that_it_never_proposed(self, space):
        optimizer = self.build(space, LATENCY, 6)
        told = succeeded(0, space.default(), 7.0)
        optimizer.tell(told)
        assert optimizer.best is told
        space.validate(optimizer.ask())

    def test_prior_data_are_learnt_and_never_become_the_incumbent(self, space):
        optimizer = self.build(space, LATENCY, 6)
        optimizer.learn(succeeded(-1, space.default(), 7.0))
        assert optimizer.best is None
        told = succeeded(0, optimizer.ask(), 8.0)
        optimizer.tell(told)
        assert optimizer.best is told

    def test_what_prior_data_were_worth_decides_what_it_asks(self, space):
        """The same configurations with the values of two surfaces, where it has a model."""
        drawn = RandomSearch(space, LATENCY, 9)
        asked = [drawn.ask() for _ in range(self.trials)]
        first = set()
        for surface in range(2):
            optimizer, evaluator = self.build(space, LATENCY, 6), SyntheticEvaluator(space, surface)
            for number, one in enumerate(asked):
                optimizer.learn(evaluator.measure(one, number=number, source="prior"))
            first.add(self.first_own(optimizer))
        assert len(first) == 1 + self.learns

    def test_a_bound_is_not_taken_for_a_value(self, space):
        """The best of the same trials was measured, or was stopped there and may be any worse."""
        drawn, evaluator = RandomSearch(space, LATENCY, 9), SyntheticEvaluator(space, 0)
        trials = [
            evaluator.measure(drawn.ask(), number=number, source="prior")
            for number in range(self.trials)
        ]
        best, *others = sorted(trials, key=lambda trial: trial.value)
        asked = set()
        for status in (TrialStatus.SUCCEEDED, TrialStatus.CAPPED):
            optimizer = self.build(space, LATENCY, 6)
            for trial in (replace(best, status=status), *others):
                optimizer.learn(trial)
            asked.add(self.first_own(optimizer))
        assert len(asked) == 1 + self.learns

    @pytest.mark.parametrize(("objective", "best"), [(LATENCY, 1.0), (THROUGHPUT, 3.0)])
    def test_the_objective_alone_decides_the_direction(self, space, objective, best):
        optimizer = self.build(space, objective, 7)
        for number, value in enumerate([2.0, 1.0, 3.0]):
            optimizer.tell(succeeded(number, optimizer.ask(), value))
        assert optimizer.best is not None
        assert optimizer.best.value == best

    @pytest.mark.parametrize("name", ["work_mem", "enable_nestloop"])
    def test_a_space_of_one_knob_is_enough(self, name):
        """Also where that leaves no more than two configurations."""
        optimizer = self.build(knob_space().subset([name]), LATENCY, 8)
        trials = self.drive(optimizer, self.trials)
        assert {tuple(trial.configuration) for trial in trials} == {(name,)}


def projected(space: KnobSpace):
    """The projection that the registry gives every optimizer."""
    return memory_projection(space, 1)
