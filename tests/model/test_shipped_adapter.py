"""The adapter that ships: it fits this catalogue and base model, and it answers."""

import pytest

from datagen.measurements import MEASUREMENTS_FILE, read_measurements
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.hardware import detect_hardware
from llmtune.knobs.memory import fits
from llmtune.knobs.relevance import relevant
from llmtune.knobs.space import resolve_space
from llmtune.model.adapter import DEFAULT_ADAPTER, check_adapter
from llmtune.model.checkpoint import find_base_model
from llmtune.model.ranking import Ranker
from llmtune.model.ready import ModelRequest, ready_model
from llmtune.model.suggest import suggested
from llmtune.postgres.profile import profile_workload
from llmtune.postgres.what_if import WhatIfFeatures
from tests.model.conftest import Staged
from workloads.tpch import tpch_workload


@pytest.fixture(scope="module")
def base():
    return find_base_model()


def test_it_fits_the_base_model_and_the_catalogue(base):
    card = check_adapter(DEFAULT_ADAPTER, base, load_catalogue().hash)
    assert set(card.knobs) <= set(load_catalogue().names)
    assert card.scores["tuned"]["nll"] < card.scores["base"]["nll"]


def test_its_measurements_come_from_several_hardwares():
    measurements = read_measurements(DEFAULT_ADAPTER / MEASUREMENTS_FILE)
    assert len(set(measurements.sources)) > 1
    assert len(measurements.ratios) > 1000


def test_it_suggests_for_a_real_workload_and_the_plans_rank_it(embedded, tpch_tiny):
    wanted = tpch_workload(0.01, 3)
    hardware = detect_hardware()
    with embedded.connect(tpch_tiny) as connection:
        profile = profile_workload(connection, wanted, hardware, embedded.version)
    whole = resolve_space(load_catalogue(), embedded.version, hardware)
    space = relevant(whole, profile.kind, jit=False)
    what_if = WhatIfFeatures(embedded, tpch_tiny, wanted, space)
    ready = ready_model(ModelRequest(), print)
    made = suggested(ready, Staged(space, profile, what_if), candidates=4, seed=0)
    ranker = Ranker(DEFAULT_ADAPTER, what_if.names)
    for one in made:
        space.validate(one)
        assert fits(one, space, profile.clients)
    ratios = [ranker.ratio(profile, what_if(one)) for one in made]
    assert all(0.1 < ratio < 10 for ratio in ratios)
    assert ratios[1:] == sorted(ratios[1:]), "behind the likeliest"
