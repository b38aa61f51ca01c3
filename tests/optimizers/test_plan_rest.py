"""The rest of a workload: what no plan is looked at of, and what `plan` makes of it."""

import math

import numpy as np
import pytest

from llmtune.trial import QueryTime, Trial, TrialStatus
from optimizers.plan import PLANNED_TABLES, Plan
from optimizers.plan_model import Outlook, PlanModel
from optimizers.plan_rest import RestModel
from optimizers.query_evidence import QueryEvidence
from optimizers.query_rows import Rest
from optimizers.space import UnitCube
from tests.optimizers.conformance import knob_space, projected
from workloads.objective import LATENCY

SPACE = knob_space().subset(
    [
        "work_mem",
        "effective_cache_size",
        "random_page_cost",
        "enable_nestloop",
        "max_parallel_workers_per_gather",
        "join_collapse_limit",
    ]
)
CUBE = UnitCube(SPACE)
PLANNED = ["heavy", "other"]
POINTS = np.zeros((1, 1))
OUTLOOK = Outlook(mean=np.log([0.5]), hoped=np.log([0.4]), times=np.array([[0.1, 0.3]]))


class World:
    """Nested loops cost two planned queries half of their time, and a light one lives on them.

    The planned ones gain from memory too. Once there were three trials, the light query runs
    first: it is the one that tells configurations apart.
    """

    weights = dict.fromkeys([*PLANNED, "light"], 1.0)
    tables = dict.fromkeys(weights, PLANNED_TABLES // 2)

    def seconds(self, one):
        """Of each query under a configuration."""
        loops, memory = one["enable_nestloop"], CUBE.point(one)["work_mem"]
        planned = (4.0 if loops else 2.0) * math.exp(-memory)
        return {"heavy": planned, "other": 0.8 * planned, "light": 0.8 if loops else 30.0}

    def features(self, configurations, queries):
        """See `WhatIf.features`; the effort follows the planned queries' times."""
        return [
            np.array([[math.log(self.seconds(one)[name]), *CUBE.vector(one)] for name in queries])
            for one in configurations
        ]

    def measure(self, configuration, number, cap=math.inf):
        """A trial that is stopped at the cap."""
        takes = self.seconds(configuration)
        times, left = [], cap
        for name in takes if number < 3 else reversed(takes):
            times.append(QueryTime(name, min(takes[name], left)))
            left -= takes[name]
            if left < 0:
                return Trial(number, "t", configuration, TrialStatus.CAPPED, cap, tuple(times))
        value = sum(takes.values())
        return Trial(number, "t", configuration, TrialStatus.SUCCEEDED, value, tuple(times))


def test_what_tells_nothing_leaves_the_outlook_as_it_is():
    nothing = RestModel(Rest(0.5, np.array([np.nan])), POINTS, seed=0)
    assert nothing.beside(OUTLOOK, POINTS) is OUTLOOK


def test_the_rest_counts_by_its_share_and_leaves_the_planned_queries_alone():
    rest = RestModel(Rest(0.25, np.array([np.nan, math.log(2.0)])), np.zeros((2, 1)), seed=0)
    whole = rest.beside(OUTLOOK, POINTS)
    assert np.exp(whole.mean) == pytest.approx([0.75 * 0.5 + 0.25 * 2.0])
    assert np.exp(whole.hoped) == pytest.approx([0.75 * 0.4 + 0.25 * 2.0])
    assert whole.times is OUTLOOK.times


def tried(**changes):
    """Configurations with these changes, which differ in two knobs more."""
    others = [(8192, 2.0), (32768, 3.0), (131072, 1.5)]
    return [
        SPACE.configuration({"work_mem": memory, "random_page_cost": cost, **changes})
        for memory, cost in others
    ]


def hoped(trials, one, seed):
    """Of the total of a configuration after trials."""
    world, evidence = World(), QueryEvidence(World.weights, LATENCY, SPACE.baseline())
    for trial in trials:
        evidence.add(CUBE.vector(trial.configuration), trial)
    (default,) = world.features([SPACE.baseline()], PLANNED)
    tables = world.features([trial.configuration for trial in trials], PLANNED)
    shares, rows = evidence.shares_of(PLANNED), evidence.rows(PLANNED)
    model = PlanModel(shares, default, tables, rows, seed)
    rest = RestModel(evidence.rest(PLANNED), evidence.points, seed)
    planned = model.predict(world.features([one], PLANNED))
    return float(rest.beside(planned, CUBE.vector(one)[None]).hoped[0])


def test_a_choice_that_wrecked_the_rest_has_a_worse_outlook_than_before():
    world, seeds = World(), range(5)
    before = [world.measure(one, 3) for one in (SPACE.baseline(), *tried())]
    cap = 1.5 * min(trial.value for trial in before)
    wrecked = [world.measure(one, 3, cap) for one in tried(enable_nestloop=False)]
    assert {trial.status for trial in wrecked} == {TrialStatus.CAPPED}
    assert {time.query_id for trial in wrecked for time in trial.query_times} == {"light"}
    choice = SPACE.configuration({"enable_nestloop": False, "work_mem": 65536})
    then = np.array([hoped(before, choice, seed) for seed in seeds])
    now = np.array([hoped([*before, *wrecked], choice, seed) for seed in seeds])
    assert now.mean() - then.mean() > 5 * max(then.std(), now.std())


def test_what_wrecks_a_query_that_is_not_planned_is_proposed_no_more():
    world, asked = World(), []
    optimizer = Plan(SPACE, LATENCY, 0, projected(SPACE), what_if=world)
    optimizer.tell(world.measure(SPACE.baseline(), 0))
    for number in range(1, 15):
        asked.append(optimizer.ask())
        optimizer.tell(world.measure(asked[-1], number, 1.5 * optimizer.best.value))
    wrecking = [not one["enable_nestloop"] for one in asked]
    assert any(wrecking[:5]), "the planned queries gain most from it"
    assert not any(wrecking[-5:])
    assert optimizer.best.value < 0.8 * sum(world.seconds(SPACE.baseline()).values())
