from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from datagen.pairs import Pair
from llmtune.errors import DatasetError
from llmtune.model.evaluate import evaluate_adapter
from llmtune.model.held_out import held_out_for
from llmtune.model.train import TrainSettings, train_adapter


def lines(pairs: Sequence[Pair], *numbers: int) -> tuple[Pair, ...]:
    """The pairs with some lines of their completions alone."""
    made = []
    for pair in pairs:
        every = pair.completion.splitlines(keepends=True)
        made.append(replace(pair, completion="".join(every[number] for number in numbers)))
    return tuple(made)


@pytest.fixture
def some(space):
    return space.subset(space.names[1:3])


@pytest.fixture
def trained(tiny, some, pairs, folder):
    """An adapter of two of the four knobs."""
    train_adapter(tiny, some, lines(pairs[:16], 1, 2), folder, settings=TrainSettings(epochs=1))
    return folder


def test_labels_of_knobs_that_an_adapter_does_not_know_are_not_scored(
    tiny, space, some, pairs, trained
):
    held = held_out_for(tiny, trained, space, pairs[40:])
    assert held.space == some
    assert held.pairs == lines(pairs[40:], 1, 2)
    assert (held.unknown, held.dropped) == ((space.names[0], space.names[3]), 16)
    found = evaluate_adapter(tiny, trained, held)
    assert (found.tuned.pairs, found.tuned.labels) == (8, 16)


def test_pairs_of_unknown_knobs_alone_are_left_out_or_refused(tiny, space, pairs, trained):
    foreign = lines(pairs[40:], 0, 3)
    held = held_out_for(tiny, trained, space, [*foreign, pairs[0]])
    assert (held.pairs, held.dropped) == (lines(pairs[:1], 1, 2), 18)
    with pytest.raises(DatasetError, match=r"none of the knobs .*shared_buffers.* its card names"):
        held_out_for(tiny, trained, space, foreign)


def test_a_line_that_is_no_label_is_not_taken_for_an_unknown_knobs(tiny, space, pairs, trained):
    wrong = replace(pairs[0], completion="work_men: A\n")
    with pytest.raises(DatasetError, match=r"pair 1: .*work_men"):
        evaluate_adapter(tiny, trained, held_out_for(tiny, trained, space, [wrong]))
