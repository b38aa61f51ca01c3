from __future__ import annotations

import pytest

from datagen.pairs import Pair
from llmtune.model.answers import answer_held_out
from llmtune.model.evaluate import evaluate_adapter
from llmtune.model.held_out import held_out_for
from llmtune.model.train import TrainSettings, train_adapter


@pytest.fixture
def some(space):
    return space.subset(("shared_buffers", "work_mem"))


@pytest.fixture
def trained(tiny, some, folder):
    """An adapter that can only guess the first label, and then knows the second."""
    pairs = [pair(number) for number in range(64)]
    settings = TrainSettings(epochs=6, batch=8, learning_rate=2e-2)
    train_adapter(tiny, some, pairs, folder, settings=settings)
    return folder


def pair(number: int) -> Pair:
    label = ("A", "B", "default")[number % 3]
    return Pair(f"{number * 37 % 1000}\n", f"shared_buffers: {label}\nwork_mem: {label}\n")


def test_a_models_own_answers_pay_for_a_wrong_label_twice(tiny, some, trained):
    held = held_out_for(tiny, trained, some, [pair(number) for number in range(100, 124)])
    found = evaluate_adapter(tiny, trained, held)
    own = answer_held_out(tiny, trained, held, 24, lambda doing, share: None)
    assert (own.tuned.prompts, own.tuned.labels, own.tuned.changed) == (24, 48, 32)
    assert found.tuned.accuracy > own.tuned.accuracy + 0.1
    assert own.tuned.accuracy > own.base.accuracy
    assert own.tuned.default_accuracy == found.tuned.default_accuracy == pytest.approx(1 / 3)


def test_a_sample_of_the_different_prompts_is_answered(tiny, some, trained):
    pairs = [pair(number) for number in range(100, 108)]
    told = []
    held = held_out_for(tiny, trained, some, [*pairs, *pairs])
    own = answer_held_out(tiny, trained, held, 3, lambda *done: told.append(done))
    assert (own.tuned.prompts, own.tuned.labels, own.different) == (3, 6, 8)
    assert (told[0], told[-1], len(told)) == (("tuned, 1 of 3", 1 / 6), ("base, 3 of 3", 1.0), 6)


def test_an_older_servers_pair_is_answered_for_its_own_knobs(tiny, some, trained):
    fewer = Pair("5\n", "work_mem: A\n")
    held = held_out_for(tiny, trained, some, [pair(100), fewer])
    own = answer_held_out(tiny, trained, held, 2, lambda doing, share: None)
    assert (own.tuned.prompts, own.tuned.labels) == (2, 3)
