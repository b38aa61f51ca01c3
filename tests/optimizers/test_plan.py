"""`plan` on a synthetic evaluator whose query times follow from synthetic plans."""

from statistics import median

import numpy as np
import pytest

from llmtune.benchmark.synthetic import Behaviour, SyntheticEvaluator
from llmtune.benchmark.synthetic_plans import TABLES, SyntheticPlans
from llmtune.errors import UsageError
from llmtune.knobs.knob import Effect
from llmtune.trial import Trial, TrialStatus
from optimizers import registry
from optimizers.plan import DRAWS, PLANNED_TABLES, Plan
from optimizers.plan_model import TREES, PlanModel
from optimizers.plan_search import SEARCHED_TABLES
from optimizers.query_rows import Row
from optimizers.random_search import RandomSearch
from optimizers.tpe import TPE
from tests.optimizers.conformance import OptimizerConformance, knob_space, projected, succeeded
from workloads.objective import LATENCY

KNOBS = (
    "shared_buffers",
    "work_mem",
    "hash_mem_multiplier",
    "effective_cache_size",
    "random_page_cost",
    "cpu_tuple_cost",
    "enable_nestloop",
    "max_parallel_workers_per_gather",
    "parallel_setup_cost",
    "join_collapse_limit",
    "effective_io_concurrency",
    "io_method",
)

PLANNED = PLANNED_TABLES // TABLES
"""Queries whose plans are looked at."""


def planned(space, objective=LATENCY, seed=0, surface=0):
    """The optimizer with the plans of a surface, by default the conformance suite's."""
    evaluator = SyntheticEvaluator(space, surface, objective=objective)
    return Plan(space, objective, seed, projected(space), what_if=SyntheticPlans(evaluator))


class TestPlan(OptimizerConformance):
    trials = 4

    @pytest.fixture
    def space(self):
        return knob_space().subset(KNOBS)

    def build(self, space, objective, seed):
        return planned(space, objective, seed)


def driven(optimizer, evaluator, trials):
    """The optimizer after so many trials, the default first, capped as a session caps them."""
    asked = evaluator.space.baseline()
    for number in range(trials):
        cap = None if optimizer.best is None else optimizer.best.value * 2
        optimizer.tell(evaluator.measure(asked, number=number, source="t", cap=cap))
        asked = optimizer.ask()
    return optimizer


def test_it_beats_random_search_and_tpe_at_twenty_trials():
    space = knob_space().subset(KNOBS)
    builds = {
        "plan": lambda seed: planned(space, seed=seed, surface=seed),
        "tpe": lambda seed: TPE(space, LATENCY, seed, projected(space)),
        "random": lambda seed: RandomSearch(space, LATENCY, seed, projected(space)),
    }

    def found(name, seed):
        evaluator = SyntheticEvaluator(space, seed, Behaviour(optimum_gain=4.0, noise=0.03))
        optimizer = driven(builds[name](seed), evaluator, 20)
        return evaluator.value(optimizer.best.configuration)

    medians = {name: median(found(name, seed) for seed in range(3)) for name in builds}
    assert medians["plan"] < min(medians["tpe"], medians["random"])


def test_an_ask_plans_a_bounded_number_of_queries():
    space = knob_space()
    evaluator = SyntheticEvaluator(space, 1, Behaviour(active=PLANNED))
    plans = Heard(evaluator)
    optimizer = Plan(space, LATENCY, 1, projected(space), what_if=plans)
    driven(optimizer, evaluator, 3)
    before = plans.explained
    optimizer.ask()
    assert 0 < plans.explained - before <= SEARCHED_TABLES / TABLES + DRAWS * PLANNED + 100


def test_the_first_suggestion_after_the_default_is_better_than_it():
    space = knob_space().subset(KNOBS)
    evaluator = SyntheticEvaluator(space, 1, Behaviour(active=len(KNOBS)))
    optimizer = driven(planned(space, seed=1, surface=1), evaluator, 1)
    assert evaluator.value(optimizer.ask()) < evaluator.value(space.baseline())


def test_only_the_heaviest_queries_are_planned():
    space = knob_space()
    evaluator = SyntheticEvaluator(space, 1, Behaviour(active=PLANNED + 4))
    plans = Heard(evaluator)
    optimizer = Plan(space, LATENCY, 1, projected(space), what_if=plans)
    driven(optimizer, evaluator, 3)
    times = {time.query_id: time.seconds for time in plans.first(evaluator)}
    light = sorted(times, key=times.get)[:4]
    assert plans.queries == set(times) - set(light)


class Tableless(SyntheticPlans):
    """Queries that only call functions: their plans scan no table."""

    @property
    def tables(self):
        return dict.fromkeys(self.weights, 0)


def test_queries_that_read_no_table_are_planned_too():
    space = knob_space().subset(KNOBS)
    evaluator = SyntheticEvaluator(space, 1)
    optimizer = Plan(space, LATENCY, 1, projected(space), what_if=Tableless(evaluator))
    asked = driven(optimizer, evaluator, 2).ask()
    space.validate(asked)
    assert evaluator.value(asked) < evaluator.value(space.baseline())


class Heard(SyntheticPlans):
    """Notes the queries whose features it is asked for, and how often."""

    def __init__(self, evaluator):
        super().__init__(evaluator)
        self.queries = set()
        self.explained = 0

    def features(self, configurations, queries):
        self.queries |= set(queries)
        self.explained += len(configurations) * len(queries)
        return super().features(configurations, queries)

    def first(self, evaluator):
        baseline = evaluator.space.baseline()
        return evaluator.measure(baseline, number=0, source="t").query_times


def restart_values(configuration):
    space = knob_space().subset(KNOBS)
    return {k.name: configuration[k.name] for k in space.knobs if k.effect is Effect.RESTART}


@pytest.mark.parametrize(
    ("status", "in_force"),
    [(TrialStatus.SUCCEEDED, 3), (TrialStatus.REJECTED, 2), (TrialStatus.CRASHED, 0)],
)
def test_a_restart_must_be_worth_its_seconds(status, in_force):
    """Where none is, the restart knobs stay as they are in force behind the last trial."""
    space = knob_space().subset(KNOBS)
    evaluator = SyntheticEvaluator(space, 1, Behaviour(active=len(KNOBS)))
    plans = SyntheticPlans(evaluator)
    patient = Plan(space, LATENCY, 0, projected(space), what_if=plans, restart_s=1e9)
    buffers = [200000, 65536, 32768]
    tried = [space.baseline(), *(space.configuration({"shared_buffers": n}) for n in buffers)]
    for number, configuration in enumerate(tried[:-1]):
        patient.tell(evaluator.measure(configuration, number=number, source="t"))
    last = evaluator.measure(tried[-1], number=3, source="t")
    patient.tell(last if last.status is status else Trial(3, "t", tried[-1], status))
    assert restart_values(patient.ask()) == restart_values(tried[in_force])


def test_prior_data_leave_the_heaviest_queries_to_the_first_trial():
    space = knob_space()
    evaluator = SyntheticEvaluator(space, 1, Behaviour(active=PLANNED + 4))
    plans = Heard(evaluator)
    optimizer = Plan(space, LATENCY, 1, projected(space), what_if=plans)
    for value in (9.0, 11.0):
        optimizer.learn(succeeded(-1, optimizer.ask(), value))
    optimizer.ask()
    assert plans.queries == set(), "no query is known to be a heavy one"
    driven(optimizer, evaluator, 2)
    times = {time.query_id: time.seconds for time in plans.first(evaluator)}
    light = sorted(times, key=times.get)[:4]
    assert plans.queries == set(times) - set(light)


def test_prior_data_put_nothing_in_force():
    space = knob_space().subset(KNOBS)
    evaluator = SyntheticEvaluator(space, 0)
    plans = SyntheticPlans(evaluator)
    patient = Plan(space, LATENCY, 0, projected(space), what_if=plans, restart_s=1e9)
    other = space.configuration({"shared_buffers": 65536})
    for number, configuration in enumerate([space.baseline(), other]):
        patient.learn(evaluator.measure(configuration, number=number, source="t"))
    assert restart_values(patient.ask()) == restart_values(space.baseline())


def test_without_plans_it_is_refused_with_the_reason():
    with pytest.raises(UsageError, match="transaction mix"):
        registry.optimizer("plan", knob_space(), LATENCY, 0)


def test_seeds_near_the_largest_serve_every_query():
    table = np.array([[0.0, 1.0], [0.0, 2.0]])
    rows = [Row([0, 1], np.zeros(2)), Row([0, 1], np.ones(2))]
    model = PlanModel(np.array([0.5, 0.5]), table, [table, table + 1], rows, seed=2**32 - 1)
    assert model.opinions([table]).shape == (TREES, 1, 2)


@pytest.mark.parametrize(("stopped_at", "taken_for"), [(2.0, 4.0), (8.0, 8.0)])
def test_a_stopped_query_is_taken_for_what_it_took_elsewhere_and_its_bound_at_least(
    stopped_at, taken_for
):
    """With one and the same plan it came to its end once, and was stopped once."""
    default, other = np.array([[0.0, 0.0]]), np.array([[0.0, 1.0]])
    ended = [Row([0], np.zeros(1)), Row([0], np.log([4.0]))]
    rows = [*ended, Row([0], np.log([stopped_at]), stopped=0)]
    model = PlanModel(np.ones(1), default, [default, other, other], rows, seed=0)
    expected = np.log([4.0, taken_for]).mean()
    assert model.opinions([other]).mean() == pytest.approx(expected, abs=0.01)
