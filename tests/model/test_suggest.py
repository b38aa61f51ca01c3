import pytest

from datagen.pairs import Pair
from llmtune.errors import AdapterMismatch, UsageError
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import Hardware
from llmtune.knobs.levels import LevelCodec
from llmtune.knobs.memory import fits
from llmtune.knobs.space import resolve_space
from llmtune.model.checkpoint import find_base_model
from llmtune.model.prompt import PromptCodec
from llmtune.model.ready import ReadyModel
from llmtune.model.suggest import load_suggester, suggested
from llmtune.model.train import TrainSettings, train_adapter
from llmtune.postgres.profile import PlanSummary, Profile, QueryProfile, Scan
from llmtune.postgres.statistics import TableStatistics
from tests.model.conftest import Staged

SURE = TrainSettings(epochs=16, batch=4, learning_rate=5e-3)
"""Enough steps, small enough, that the order in which two threads add makes no difference."""


@pytest.fixture(scope="module")
def profile():
    summary = PlanSummary(
        total_cost=1e5,
        workers=2,
        operators={"seq_scan": 1, "sort": 1},
        sorts=(2e8,),
        hashes=(),
        aggregates=(),
        scans=(Scan("lineitem", "seq_scan", 1, 6e5),),
    )
    table = TableStatistics("lineitem", 600_000, 90 << 20, 30 << 20, 2)
    return Profile(
        kind="analytic",
        hardware=Hardware(cores=2, memory=1 << 30),
        version=18,
        clients=2,
        tables=(table,),
        queries=(QueryProfile("q1", "q1", 1.0, summary),),
    )


@pytest.fixture(scope="module")
def suggester(tiny, space):
    return load_suggester(space, tiny, adapter=None)


def test_suggestions_are_valid_different_and_fit_the_memory(suggester, space, profile):
    suggestions = suggester.suggest(profile, candidates=8)
    assert 1 < len(suggestions) <= 8
    assert len({one.configuration for one in suggestions}) == len(suggestions)
    for one in suggestions:
        space.validate(one.configuration)
        assert fits(one.configuration, space, profile.clients)


def test_the_mode_is_first_and_the_rest_is_ranked(suggester, profile):
    first, *rest = suggester.suggest(profile, candidates=8, seed=1)
    (mode,) = suggester.suggest(profile, candidates=1)
    assert mode.configuration == first.configuration
    assert mode.log_likelihood == pytest.approx(first.log_likelihood, abs=1e-3)
    likelihoods = [one.log_likelihood for one in rest]
    assert likelihoods == sorted(likelihoods, reverse=True)


def test_no_candidates_are_refused(suggester, profile):
    with pytest.raises(UsageError, match="at least 1, not 0"):
        suggester.suggest(profile, candidates=0)


def test_a_trained_adapter_decides_the_suggestion(tiny, space, profile, folder):
    prompts, levels = PromptCodec(space), LevelCodec(space)
    wanted = space.configuration({"work_mem": 1024, "random_page_cost": 1.0})
    wanted = levels.decode(levels.encode(wanted))  # as near as levels get
    pair = Pair(prompts.prompt(profile), prompts.completion(wanted))
    train_adapter(tiny, space, [pair] * 16, folder, settings=SURE)
    first, *_ = load_suggester(space, tiny, folder).suggest(profile, candidates=1)
    assert first.configuration == wanted


def test_an_adapter_of_another_base_model_is_refused(tiny, other_base, space, pairs, folder):
    train_adapter(tiny, space, pairs[:8], folder, settings=TrainSettings(epochs=1))
    with pytest.raises(AdapterMismatch, match="base model"):
        load_suggester(space, other_base, folder)


def test_the_real_base_model_suggests_valid_configurations(profile):
    whole = resolve_space(load_catalogue(), 18, profile.hardware)
    space = whole.subset(whole.names[:5])
    suggestions = load_suggester(space, find_base_model(), adapter=None).suggest(profile, 4)
    assert suggestions
    for one in suggestions:
        space.validate(one.configuration)
        assert one.log_likelihood <= 0


def test_knobs_that_were_not_trained_keep_their_baseline(tiny, space, profile, folder):
    known = space.subset(["work_mem"])
    prompts = PromptCodec(known)
    pair = Pair(
        prompts.prompt(profile), prompts.completion(known.configuration({"work_mem": 1024}))
    )
    card = train_adapter(tiny, known, [pair], folder, settings=TrainSettings(epochs=1))
    assert card.knobs == ("work_mem",)
    for one in load_suggester(space, tiny, folder).suggest(profile, 8):
        assert tuple(one.configuration) == space.names
        assert set(one.configuration.changes(space.default())) <= {"work_mem"}


def test_knobs_out_of_reach_count_with_what_the_server_has(tiny, profile, folder):
    whole = resolve_space(load_catalogue(), 18, profile.hardware)
    known = whole.subset([*whole.names[:8], "io_method"])
    *others, asked, _ = known.names
    prompts, levels = PromptCodec(known), LevelCodec(known)
    taught = {label: levels.decode(dict.fromkeys([*others, asked], label)) for label in "AC"}
    pairs = [Pair(prompts.prompt(profile), prompts.completion(one)) for one in taught.values()]
    train_adapter(tiny, known, pairs * 16, folder, settings=SURE)
    for label, has in taught.items():  # and a choice that the catalogue does not have
        present = {**whole.server_defaults, **has, asked: 1.0, "io_method": "io_uring"}
        server = known.subset([asked]).running(present)
        first, *_ = load_suggester(server, tiny, folder).suggest(profile, candidates=1)
        assert LevelCodec(server).encode(first.configuration) == {asked: label}


def test_where_no_server_plans_the_model_s_own_order_stays(tiny, space, profile, folder, pairs):
    card = train_adapter(tiny, space, pairs[:8], folder, settings=TrainSettings(epochs=1))
    own = load_suggester(space, tiny, folder).suggest(profile, 8, seed=1)
    made = suggested(ReadyModel(tiny, folder, card), Staged(space, profile), 8, seed=1)
    assert made == [one.configuration for one in own]
