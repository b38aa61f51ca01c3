import json
from dataclasses import replace
from itertools import islice

import pytest

from datagen.generate import (
    GenerationPlan,
    Mix,
    draw_mixes,
    measure,
    pairs,
)
from datagen.label import TOLERANCE, Labeller
from datagen.matrix import header_of
from datagen.matrix_files import read_matrix
from datagen.measure import MatrixWriter
from datagen.pairs import Pair, read_pairs, write_pairs
from datagen.plan import schedule
from datagen.refine import REFINED, Refiner
from datagen.verify import VERIFIED
from llmtune.benchmark.benchmark import Benchmark
from llmtune.errors import UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.memory import fits
from llmtune.knobs.relevance import relevant
from llmtune.knobs.space import resolve_space
from llmtune.model.prompt import PromptCodec
from llmtune.postgres.profile import PlanSummary, Profile, QueryProfile, profile_workload
from llmtune.postgres.settings import SettingsApplier
from llmtune.postgres.what_if import WhatIfFeatures
from workloads.tpch import tpch_workload
from workloads.workload import Workload

TPCH = tpch_workload(0.01, 1)
QUICK = {f"tpch-q{n}" for n in (1, 4, 6, 12, 13, 14, 22)}


def test_mixes_of_the_two_sides_share_no_template():
    plan = GenerationPlan(mixes=50, held_out=0.3, seed=4)
    mixes = draw_mixes(TPCH, plan)
    used: dict[str, set[str]] = {"train": set(), "held_out": set()}
    for mix in mixes:
        used[mix.side] |= {query.template for query in mix.workload.queries}
    assert [mix.side for mix in mixes] == ["train"] * 35 + ["held_out"] * 15
    assert not used["train"] & used["held_out"]
    assert used["held_out"] == {f"tpch-q{n}" for n in (2, 5, 8, 12, 13, 15, 17, 19, 22)}
    assert [mix.weights for mix in mixes] == [mix.weights for mix in draw_mixes(TPCH, plan)]
    other = GenerationPlan(mixes=50, held_out=0.3, seed=5)
    assert [mix.weights for mix in mixes] != [mix.weights for mix in draw_mixes(TPCH, other)]


def held_out(mixes) -> set[str]:
    return {q.template for mix in mixes if mix.side == "held_out" for q in mix.workload.queries}


def test_data_sets_of_any_seed_hold_out_the_same_templates():
    sides = {frozenset(held_out(draw_mixes(TPCH, GenerationPlan(seed=seed)))) for seed in range(4)}
    assert sides == {frozenset(f"tpch-q{n}" for n in (8, 12, 13, 17, 19, 22))}


def test_what_a_data_set_holds_out_already_stays_held_out():
    plan = GenerationPlan(seed=2)
    assert draw_mixes(TPCH, plan, kept={"tpch-q8", "tpch-q12"}) == draw_mixes(TPCH, plan)
    with pytest.raises(UsageError, match="tpch-q1, tpch-q2"):
        draw_mixes(TPCH, plan, kept={"tpch-q1", "tpch-q2"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"sampled": 4},
        {"refined": -1},
        {"mixes": 0},
        {"held_out": 0.0},
        {"held_out": 1.0},
        {"mixes": 2},
        {"mixes": 2, "held_out": 0.8},
    ],
)
def test_an_impossible_plan_is_refused(wrong):
    with pytest.raises(UsageError):
        GenerationPlan(**wrong)


def test_both_sides_have_mixes(five):
    sides = [mix.side for mix in draw_mixes(five, GenerationPlan(mixes=3))]
    assert sides == ["train", "train", "held_out"]


def test_a_matrix_grows_to_the_plan_and_no_further(make_writer, space, timer, five, tmp_path):
    mixes = draw_mixes(five, GenerationPlan(mixes=10))

    def grow(**plan):
        seen = []
        writer = make_writer(tmp_path)
        measure(writer, space, timer.what_if, mixes, GenerationPlan(**plan), seen.append)
        planned = [run for run in seen if run.source in ("default", "rules", "sampled")]
        return writer, len(planned), len(seen)

    writer, planned, _ = grow(sampled=20, refined=6)
    assert planned == 20
    assert 1 <= writer.measured(REFINED) <= 6
    assert grow(sampled=20, refined=6)[2] == 0, "all of it is there"
    writer, planned, _ = grow(sampled=25, refined=6)
    assert planned == 5, "the sampled ones that the first plan did not have"
    numbers = [run.number for run in read_matrix(tmp_path).runs]
    assert numbers == list(range(len(writer)))


def test_what_is_measured_fits_with_all_sessions_that_may_work_at_once(
    header, space, timer, five, tmp_path
):
    mixes, plan = draw_mixes(five, GenerationPlan(mixes=10)), GenerationPlan(sampled=20, refined=6)

    def grow(clients):
        seen = []
        begun = replace(header, clients=clients)
        writer = MatrixWriter(tmp_path, begun, timer, timer.what_if)
        measure(writer, space, timer.what_if, mixes, plan, seen.append)
        return seen

    alone = islice(schedule(space, plan.seed), plan.sampled)
    assert not all(fits(one.configuration, space, 40) for one in alone)
    runs = grow(40)
    assert {run.source for run in runs} >= {"rules", "sampled", REFINED}
    assert all(fits(space.from_default(run.changes), space, 40) for run in runs)
    assert grow(1) == [], "a plan goes on for as many as it was begun for"


def test_labels_of_both_sides_are_verified(make_writer, space, timer, five, tmp_path):
    """Ten mixes of which two are held out; the label of theirs is another one's than training's."""
    mixes = draw_mixes(five, GenerationPlan(mixes=10))
    writer = make_writer(tmp_path)
    plan = GenerationPlan(sampled=20, refined=0, verified=12, mixes=10)
    measure(writer, space, timer.what_if, mixes, plan, lambda _: None)
    labeller = Labeller(writer.matrix)
    repeats = {mix.side: labeller.label(mix.weights).repeats for mix in mixes}
    assert writer.measured(VERIFIED) == 12
    assert set(repeats) == {"train", "held_out"}
    assert min(repeats.values()) > 1


class Plain:
    """Completions are the configuration itself."""

    def prompt(self, profile):
        return ""

    def completion(self, configuration):
        return json.dumps(dict(configuration))


def test_on_a_server_with_settings_of_its_own_a_completion_is_what_was_measured(
    make_matrix, live, five
):
    summary = PlanSummary(1.0, 0, {}, (), (), (), ())
    profile = Profile("analytic", live.hardware, 18, 1, (), (QueryProfile("q1", "", 1.0, summary),))
    mix = Mix(Workload("one", five.queries[:1], five.data_set), "train")

    def completion(rows):
        (pair,) = pairs(make_matrix(rows), live, profile, [mix], Plain())
        return json.loads(pair.completion)

    changes = {"enable_nestloop": False}
    assert completion([({}, [1.0]), (changes, [9.0])]) == dict(live.default())
    assert completion([({}, [9.0]), (changes, [1.0])]) == {**live.default(), **changes}


def test_pairs_from_a_real_server(embedded, tpch_tiny, tmp_path):
    """A small matrix of real runs, one refined run, and the pairs that they give."""
    whole = resolve_space(load_catalogue(), embedded.version, Hardware(2, 1 << 30))
    space = relevant(whole, "analytic", jit=False)
    quick = tuple(query for query in TPCH.queries if query.template in QUICK)
    base = Workload(TPCH.name, quick, TPCH.data_set)
    what_if = WhatIfFeatures(embedded, tpch_tiny, base, space)
    with embedded.connect(tpch_tiny) as connection:
        profile = profile_workload(connection, base, space.hardware, embedded.version)
    header = header_of(base, tpch_tiny, profile, space, what_if.names, clients=1, seed=1)
    applier = SettingsApplier(embedded, space)
    writer = MatrixWriter(
        tmp_path / "matrix", header, Benchmark(embedded, space, base, tpch_tiny), what_if
    )
    mixes = draw_mixes(base, GenerationPlan(mixes=10, seed=1))
    try:
        for candidate in islice(schedule(space, 1), 8):
            writer.add(candidate)
        weights = [mix.weights for mix in mixes]
        for candidate in Refiner(writer.matrix, space, what_if).propose(weights, 1, seed=1):
            writer.add(candidate)
    finally:
        applier.apply(space.baseline())

    codec = PromptCodec(space)
    matrix = read_matrix(tmp_path / "matrix")
    assert [run.number for run in matrix.runs if run.complete] == list(range(len(writer)))
    made = list(pairs(matrix, space, profile, mixes, codec))
    write_pairs(tmp_path / "pairs.jsonl", made)
    read = read_pairs(tmp_path / "pairs.jsonl")
    assert [(one.prompt, one.completion) for one in read] == [
        (one.prompt, one.completion) for one in made
    ]
    for pair, mix in zip(read, mixes, strict=True):
        facts = pair.metadata
        assert json.dumps(facts, allow_nan=False)
        assert pair.prompt == codec.prompt(profile.mix(mix.weights))
        label = space.configuration(facts["changes"])
        assert pair.completion == codec.completion(label)
        assert facts["split"] == mix.side
        assert facts["ratio"] == pytest.approx(facts["default_seconds"] / facts["seconds"])
        assert facts["ratio"] * (1 + TOLERANCE) >= 1
        assert facts["repeats"] == sum(run.changes == facts["changes"] for run in matrix.runs)
        labels = dict(line.split(": ") for line in pair.completion.splitlines())
        assert codec.levels.decode(labels) == label, "the label is what was measured"
    train, held_out = (
        {name for pair in read if pair.metadata["split"] == side for name in templates(pair)}
        for side in ("train", "held_out")
    )
    assert train
    assert held_out
    assert not train & held_out


def templates(pair: Pair) -> list[str]:
    return pair.metadata["templates"]
