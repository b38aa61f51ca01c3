from itertools import islice

import pytest

from datagen.measure import MatrixWriter
from datagen.plan import schedule
from datagen.refine import REFINED, Refiner, SearchOptions
from datagen.synthetic import SyntheticTimer
from llmtune.knobs.memory import fits

ALL = {"q1": 1.0, "q2": 1.0, "q3": 1.0, "q4": 1.0, "q5": 1.0}
MIXES = [ALL, {"q5": 1.0, "q1": 3.0}, {"q2": 1.0, "q3": 2.0}]


@pytest.fixture
def writer(make_writer, space, tmp_path):
    writer = make_writer(tmp_path)
    for candidate in islice(schedule(space, 5), 40):
        writer.add(candidate)
    return writer


def total(timer, configuration):
    return sum(timer.seconds(configuration).values())


def test_rounds_of_proposals_find_what_is_really_better(writer, space, timer):
    configurations = [space.configuration(run.changes) for run in writer.matrix.runs]
    sampled = min(total(timer, one) for one in configurations)
    drawn = [one.configuration for one in islice(schedule(space, 5), 40, 60)]
    for number in range(5):
        for candidate in Refiner(writer.matrix, space, timer.what_if).propose(MIXES, 4, number):
            writer.add(candidate)
    refined = [run for run in writer.matrix.runs if run.source == REFINED]
    best = min(total(timer, space.configuration(run.changes)) for run in refined)
    assert best < 0.97 * sampled
    assert best < min(total(timer, one) for one in drawn), "as many more draws do worse"


def test_proposals_are_new_few_and_fit_the_memory(writer, space, timer):
    refiner = Refiner(writer.matrix, space, timer.what_if)
    proposals = refiner.propose(MIXES, 2, seed=1)
    measured = {space.configuration(run.changes) for run in writer.matrix.runs}
    assert 1 <= len(proposals) <= 2
    assert len({one.configuration for one in proposals}) == len(proposals)
    for candidate in proposals:
        assert candidate.configuration not in measured
        assert fits(candidate.configuration, space)


def test_one_seed_gives_the_same_proposals_after_a_restart(
    writer, make_writer, space, timer, tmp_path
):
    again = make_writer(tmp_path)
    both = [Refiner(one.matrix, space, timer.what_if) for one in (writer, again)]
    first, second = (refiner.propose(MIXES, 8, seed=3) for refiner in both)
    assert first == second


def test_on_a_server_with_settings_of_its_own_the_default_is_known_as_measured(
    header, live, five, tmp_path
):
    timer = SyntheticTimer(live, five, seed=5)
    writer = MatrixWriter(tmp_path, header, timer, timer.what_if)
    plan = list(islice(schedule(live, 5), 30))
    for candidate in plan:
        writer.add(candidate)
    proposals = Refiner(writer.matrix, live, timer.what_if).propose(MIXES, 8, seed=1)
    assert not {one.configuration for one in plan} & {one.configuration for one in proposals}
    dear = SearchOptions(change_price=100.0)
    (first, *_) = Refiner(writer.matrix, live, timer.what_if, dear).propose(MIXES, 8, seed=1)
    assert len(first.configuration.changes(live.default())) == 1


def test_a_change_must_earn_its_price(writer, space, timer):
    dear = SearchOptions(change_price=100.0)
    proposals = Refiner(writer.matrix, space, timer.what_if, dear).propose(MIXES, 8, seed=1)
    default = space.default()
    assert {len(one.configuration.changes(default)) for one in proposals} == {1}
