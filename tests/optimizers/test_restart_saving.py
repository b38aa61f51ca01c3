"""Proposals near the restart knobs in force keep them; what was run is what is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtune.benchmark.synthetic import SyntheticEvaluator
from llmtune.benchmark.synthetic_plans import SyntheticPlans
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.knob import Effect
from llmtune.knobs.memory import fits
from llmtune.knobs.space import resolve_space
from llmtune.trial import Trial, TrialStatus
from optimizers.projection import memory_projection
from optimizers.random_search import RandomSearch
from optimizers.registry import optimizer
from optimizers.restart_saving import KeptRestarts, RestartSaving, within_a_level
from workloads.objective import LATENCY

SPACE = resolve_space(load_catalogue(), 18, Hardware(2, 4 << 30))
RESTART = [knob for knob in SPACE.knobs if knob.effect is Effect.RESTART]
positions = st.lists(st.floats(0.0, 1.0), min_size=len(SPACE.knobs), max_size=len(SPACE.knobs))


def at(places: list[float]) -> Configuration:
    values = {knob.name: knob.at(place) for knob, place in zip(SPACE.knobs, places, strict=True)}
    return memory_projection(SPACE, 1)(SPACE.configuration(values))


def restart_values(configuration: Configuration) -> dict[str, object]:
    return {knob.name: configuration[knob.name] for knob in RESTART}


def projection(in_force: Configuration | None) -> KeptRestarts:
    kept = KeptRestarts(SPACE, memory_projection(SPACE, 1))
    kept.in_force = in_force
    return kept


@given(positions, positions, st.floats(0.0, 0.2))
def test_all_restart_knobs_are_kept_or_none_and_the_rest_is_as_proposed(present, other, reach):
    in_force = at(present)
    proposed = at([p + (o - p) * reach for p, o in zip(present, other, strict=True)])
    kept = projection(in_force)(proposed)
    assert fits(kept, SPACE)
    if kept != proposed:
        assert restart_values(kept) == restart_values(in_force)
        for knob in RESTART:
            assert within_a_level(knob, proposed[knob.name], in_force[knob.name])
    assert projection(in_force)(kept) == kept, "idempotent"


def test_a_small_step_is_kept_and_a_large_one_or_another_choice_is_not():
    buffers = SPACE["shared_buffers"]
    default = SPACE.default()
    place = buffers.position(default["shared_buffers"])
    near = SPACE.configuration({"shared_buffers": buffers.at(place + 0.03), "work_mem": 8192})
    far = SPACE.configuration({"shared_buffers": buffers.at(place + 0.4)})
    choice = SPACE.configuration({"io_method": "sync"})
    kept = projection(default)
    assert kept(near) == SPACE.configuration({"work_mem": 8192})
    assert (kept(far), kept(choice)) == (far, choice)
    assert projection(None)(near) == near, "nothing is known to be in force"


@pytest.mark.parametrize("name", ["tpe", "random"])
def test_a_session_asks_what_will_run_and_goes_on_from_its_trials(name):
    def run(trials: list[Trial]) -> list[Configuration]:
        made = optimizer(name, SPACE, LATENCY, 3, save_restarts=True)
        for trial in trials:
            made.tell(trial)
        asked = []
        for number in range(len(trials), 14):
            asked.append(made.ask())
            made.tell(Trial(number, name, asked[-1], TrialStatus.SUCCEEDED, 10.0 + number))
        return asked

    whole = run([])
    trials = [
        Trial(number, name, each, TrialStatus.SUCCEEDED, 10.0 + number)
        for number, each in enumerate(whole[:8])
    ]
    assert run(trials) == whole[8:]
    assert len(set(whole)) == len(whole)


def test_a_crash_leaves_the_baseline_in_force_and_a_refusal_what_was_there():
    kept = projection(None)
    made = RestartSaving(RandomSearch(SPACE, LATENCY, 0, kept), kept)
    far = SPACE.configuration({"shared_buffers": SPACE["shared_buffers"].at(0.9)})
    made.tell(Trial(0, "t", far, TrialStatus.SUCCEEDED, 1.0))
    assert kept.in_force == far
    made.tell(Trial(1, "t", SPACE.baseline(), TrialStatus.REJECTED))
    assert kept.in_force == far
    made.tell(Trial(2, "t", far, TrialStatus.CRASHED))
    assert kept.in_force == SPACE.baseline()


@pytest.mark.parametrize("saved", [True, False])
def test_plan_weighs_restarts_only_where_they_are_saved(saved):
    """Queries are so short that a restart is worth none of them."""
    space = SPACE.subset(["shared_buffers", "work_mem", "random_page_cost", "io_method"])
    evaluator = SyntheticEvaluator(space, 1, base=0.001)
    plans = SyntheticPlans(evaluator)
    made = optimizer("plan", space, LATENCY, 0, what_if=plans, save_restarts=saved)
    made.tell(evaluator.measure(space.baseline(), number=0, source="t"))
    asked, baseline = made.ask(), space.baseline()
    restarted = any(asked[name] != baseline[name] for name in ("shared_buffers", "io_method"))
    assert restarted is not saved


def test_prior_data_are_learnt_and_put_nothing_in_force():
    kept = projection(None)
    inner = RandomSearch(SPACE, LATENCY, 0, kept)
    made = RestartSaving(inner, kept)
    first = made.ask()
    made.learn(Trial(-1, "prior", SPACE.default(), TrialStatus.SUCCEEDED, 1.0))
    assert made.ask() != first
    assert kept.in_force is None
    assert made.best is None
