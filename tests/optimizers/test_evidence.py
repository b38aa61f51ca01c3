"""What measurements, bounds and failures are worth to a model, whichever way is better."""

import numpy as np
import pytest

from llmtune.trial import Trial, TrialStatus
from optimizers.evidence import Evidence
from tests.optimizers.conformance import WITHOUT_VALUE, knob_space
from workloads.objective import LATENCY, THROUGHPUT, Direction

CONFIGURATION = knob_space().subset(["work_mem"]).default()


@pytest.fixture(params=[LATENCY, THROUGHPUT], ids=["seconds", "rate"])
def objective(request):
    return request.param


def evidence(objective, *trials):
    """The evidence of trials given as status and seconds; a rate is that many seconds' inverse."""
    gathered = Evidence(objective)
    for number, (status, seconds) in enumerate(trials):
        rate = objective.direction is Direction.MAXIMIZE
        value = 1 / seconds if rate and seconds else seconds
        trial = Trial(number, "test", CONFIGURATION, status, value)
        gathered.add(np.array([number / 10]), trial)
    return gathered


def measured(seconds):
    return TrialStatus.SUCCEEDED, seconds


def capped(seconds):
    return TrialStatus.CAPPED, seconds


def test_a_loss_is_the_logarithm_and_less_is_better(objective):
    gathered = evidence(objective, measured(2.0), measured(0.5))
    assert gathered.losses == pytest.approx(np.log([2.0, 0.5]))
    assert list(gathered.measured) == [True, True]
    assert gathered.points.tolist() == [[0.0], [0.1]]


def test_a_bound_counts_as_the_mean_of_what_lies_beyond_it(objective):
    gathered = evidence(objective, measured(1.0), capped(2.0), measured(4.0), measured(16.0))
    assert gathered.losses == pytest.approx(np.log([1.0, 2.0**3, 4.0, 16.0]))
    assert list(gathered.measured) == [True, False, True, True]


def test_a_bound_that_nothing_measured_lies_beyond_counts_as_itself(objective):
    gathered = evidence(objective, measured(1.0), capped(2.0), capped(8.0))
    assert gathered.losses == pytest.approx(np.log([1.0, 2.0, 8.0]))


@pytest.mark.parametrize("status", WITHOUT_VALUE)
def test_a_failure_counts_as_the_worst_that_is_known_bounds_included(objective, status):
    gathered = evidence(objective, measured(1.0), (status, None), capped(8.0), measured(4.0))
    assert gathered.losses == pytest.approx(np.log([1.0, 8.0, 8.0, 4.0]))


def test_failures_alone_are_worth_nothing_in_particular(objective):
    assert evidence(objective, (TrialStatus.CRASHED, None)).losses == pytest.approx([0.0])


def test_a_bound_itself_is_known_too_and_which_trials_are_bounds_or_failures(objective):
    failed = (TrialStatus.FAILED, None)
    gathered = evidence(objective, measured(1.0), capped(2.0), failed, measured(4.0))
    assert gathered.losses == pytest.approx(np.log([1.0, 4.0, 4.0, 4.0]))
    assert gathered.bounds == pytest.approx(np.log([1.0, 2.0, 4.0, 4.0]))
    assert list(gathered.capped) == [False, True, False, False]
    assert list(gathered.failed) == [False, False, True, False]
