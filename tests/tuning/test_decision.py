import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.trial import Trial, TrialStatus
from llmtune.tuning.confirm import Arm, confirm
from llmtune.tuning.interval import bootstrap_interval
from llmtune.tuning.prune import prune
from workloads.objective import LATENCY, Direction, Objective

THROUGHPUT = Objective("throughput", "1/s", Direction.MAXIMIZE)


@pytest.fixture
def arms(space):
    values = {"default": 4096, "best": 65536, "runner-up": 32768}
    return [Arm(k, k, space.configuration({"work_mem": v})) for k, v in values.items()]


class Script:
    """Answers each arm from a function of the arm's label and the turn; keeps the order."""

    def __init__(self, answer):
        self.answer, self.order = answer, []

    def __call__(self, arm):
        value = self.answer(arm.label, len(self.order))
        self.order.append(arm.label)
        status = TrialStatus.CRASHED if value is None else TrialStatus.SUCCEEDED
        return Trial(len(self.order), arm.source, arm.configuration, status, value)


def test_rounds_run_forwards_and_backwards_in_turn(arms):
    script = Script(lambda label, turn: 1.0)
    confirm(script, arms, 4, LATENCY, 0)
    there = ["default", "best", "runner-up"]
    assert script.order == (there + there[::-1]) * 2


def test_a_clear_gain_is_an_improvement(arms):
    values = {"default": 10.0, "best": 8.0, "runner-up": 9.0}
    confirmation = confirm(Script(lambda k, t: values[k] + t % 3 * 0.05), arms, 5, LATENCY, 0)
    assert confirmation.improved
    assert confirmation.winner.label == "best"
    assert confirmation.ratio == pytest.approx(1.25, rel=0.01)
    assert confirmation.ci95[0] < confirmation.ratio < confirmation.ci95[1]


def test_more_throughput_is_an_improvement(arms):
    values = {"default": 100.0, "best": 150.0, "runner-up": 120.0}
    confirmation = confirm(Script(lambda k, t: values[k] + t % 3), arms, 5, THROUGHPUT, 0)
    assert confirmation.improved
    assert confirmation.ratio == pytest.approx(1.5, rel=0.02)


def test_the_runner_up_wins_when_it_runs_better(arms):
    values = {"default": 10.0, "best": 9.0, "runner-up": 7.0}
    assert confirm(Script(lambda k, t: values[k]), arms, 5, LATENCY, 0).winner.label == "runner-up"


def test_a_runner_up_within_the_noise_leaves_the_minimised_answer(arms):
    values = {"default": 10.0, "best": 7.0, "runner-up": 6.95}
    script = Script(lambda label, turn: values[label] + turn % 4 * 0.2)
    confirmation = confirm(script, arms, 5, LATENCY, 0)
    assert confirmation.winner.label == "best"
    assert confirmation.improved


def test_nothing_better_leaves_the_default_with_a_ratio_of_one(arms):
    values = {"default": 10.0, "best": 11.0, "runner-up": 12.0}
    confirmation = confirm(Script(lambda k, t: values[k]), arms, 5, LATENCY, 0)
    assert confirmation.winner.label == "default"
    assert (confirmation.ratio, confirmation.significant) == (1.0, False)


def test_drift_that_hits_all_arms_cancels(arms):
    """The machine gets a third slower over the runs; the arms are all the same."""
    confirmation = confirm(Script(lambda k, t: 10.0 * (1 + t / 45)), arms, 5, LATENCY, 0)
    assert not confirmation.improved
    assert confirmation.ratio == pytest.approx(1.0, abs=0.02)


def test_an_arm_that_crashes_is_out(arms):
    script = Script(lambda k, t: None if (k, t) == ("best", 4) else {"default": 10.0}.get(k, 8.0))
    confirmation = confirm(script, arms, 5, LATENCY, 0)
    assert confirmation.winner.label == "runner-up"
    assert script.order.count("best") == 2


def test_a_default_that_crashes_decides_nothing(arms):
    assert confirm(Script(lambda k, t: None), arms, 5, LATENCY, 0) is None


def test_noise_alone_is_seldom_called_an_improvement(arms):
    """200 sessions in which nothing helps: at most the nominal one in twenty improves."""
    rng = np.random.default_rng(0)
    improved = 0
    for seed in range(200):
        script = Script(lambda k, t: 10.0 * float(np.exp(0.03 * rng.standard_normal())))
        improved += confirm(script, arms, 5, LATENCY, seed).improved
    assert improved <= 10


@given(st.lists(st.floats(0.1, 100.0), min_size=2, max_size=12), st.integers(0, 5))
def test_an_interval_holds_the_mean_and_stays_within_the_data(values, seed):
    rounds = np.array([values]).T
    low, high = bootstrap_interval(rounds, lambda s: s[:, :, 0].mean(axis=1), seed)
    slack = 1e-9 * max(values)
    assert min(values) - slack <= low <= np.mean(values) + slack
    assert np.mean(values) - slack <= high <= max(values) + slack


def test_an_interval_of_one_run_is_refused():
    with pytest.raises(ValueError, match="two runs"):
        bootstrap_interval(np.ones((1, 1)), lambda s: s[:, 0, 0], 0)


class Additive:
    """Each knob in `gains` that is off its default brings its seconds down from ten."""

    def __init__(self, space, gains, failing=()):
        self.space, self.gains, self.failing = space, gains, set(failing)
        self.runs = []

    def __call__(self, configuration, cap):
        self.runs.append(configuration)
        changed = configuration.changes(self.space.default())
        if self.failing and not self.failing & set(changed):
            return Trial(0, "t", configuration, TrialStatus.CRASHED)
        value = 10.0 - sum(self.gains.get(name, 0.0) for name in changed)
        if cap is not None and value > cap:
            return Trial(0, "t", configuration, TrialStatus.CAPPED, cap)
        return Trial(0, "t", configuration, TrialStatus.SUCCEEDED, value)


@pytest.fixture
def changed(space):
    """Every knob off its default."""
    values = {}
    for knob in space.knobs:
        candidates = [knob.at(at / 10) for at in range(11)]
        values[knob.name] = next(v for v in reversed(candidates) if v != knob.default)
    return space.configuration(values)


def test_only_changes_that_matter_are_kept(space, changed):
    measure = Additive(space, {"work_mem": 2.0, "jit": 1.0})
    pruning = prune(measure, space, LATENCY, changed, 0.02, 40)
    assert set(pruning.dropped) == set(space.names) - {"work_mem", "jit"}
    assert pruning.configuration.changes(space.default()).keys() == {"work_mem", "jit"}


def test_losses_do_not_add_up(space, changed):
    """Each knob's loss is within the tolerance, all together are far beyond it."""
    measure = Additive(space, dict.fromkeys(space.names, 0.1))
    pruning = prune(measure, space, LATENCY, changed, 0.02, 60)
    assert measure(pruning.configuration, None).value <= measure(changed, None).value * 1.02


def test_the_limit_of_trials_holds_and_the_untested_stay(space, changed):
    measure = Additive(space, {"work_mem": 2.0})
    pruning = prune(measure, space, LATENCY, changed, 0.02, 3)
    assert len(measure.runs) == 3
    assert "work_mem" in pruning.configuration.changes(space.default())


def test_a_change_without_which_trials_fail_is_kept(space, changed):
    measure = Additive(space, {}, failing=["shared_buffers"])
    pruning = prune(measure, space, LATENCY, changed, 0.02, 40)
    assert set(pruning.configuration.changes(space.default())) == {"shared_buffers"}


@pytest.mark.parametrize("status", [TrialStatus.CAPPED, TrialStatus.CRASHED])
def test_where_the_best_does_not_run_again_nothing_is_dropped(space, changed, status):
    """A best that was taken back for harm is CAPPED at the limit, which is no measurement."""
    runs = []

    def measure(configuration, cap):
        runs.append(configuration)
        if configuration == changed:
            value = 11.0 if status is TrialStatus.CAPPED else None
            return Trial(0, "t", configuration, status, value)
        return Trial(0, "t", configuration, TrialStatus.SUCCEEDED, 10.0)

    pruning = prune(measure, space, LATENCY, changed, 0.02, 40)
    assert (pruning.configuration, pruning.dropped) == (changed, ())
    assert runs == [changed]


def test_pruning_the_default_runs_nothing(space):
    measure = Additive(space, {})
    assert prune(measure, space, LATENCY, space.default(), 0.02, 10).dropped == ()
    assert measure.runs == []
