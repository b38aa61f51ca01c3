"""A model's own answers to held-out prompts, decoded as for a suggestion, beside the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datagen.pairs import Pair, knobs_of
from llmtune.knobs.levels import DEFAULT_LABEL
from llmtune.model.checkpoint import BaseModel, load_reader
from llmtune.model.held_out import HeldOut
from llmtune.model.label_scores import LabelScores
from llmtune.model.tokens import TokenCodec, load_codec

if TYPE_CHECKING:
    from llmtune.model.decoder import Reader


@dataclass(frozen=True, slots=True)
class AnswerScores(LabelScores):
    """Over all labels of some prompts, each answered after the model's own labels before it.

    Attributes:
        prompts: how many.
    """

    prompts: int


@dataclass(frozen=True, slots=True)
class Answers:
    """The same prompts answered by the tuned and the untuned model.

    Attributes:
        different: how many prompts there are, of which a sample was answered.
    """

    tuned: AnswerScores
    base: AnswerScores
    different: int


def answer_held_out(
    base: BaseModel,
    adapter: Path,
    held: HeldOut,
    most: int,
    progress: Callable[[str, float], None],
) -> Answers:
    """Let both models answer held-out prompts as `suggest` has its first: the likeliest labels.

    `Scores` give a model the true labels before each, which a suggestion has not: there,
    an early mistake is part of what follows. An answer takes seconds on a processor.

    Args:
        held: as `held_out_for` gives it for this adapter.
        most: how many different prompts, taken evenly from all; at least 1.
        progress: called after each answer, with what was done and which share of all.

    Raises:
        DatasetError: a completion does not fit the knobs of `held`.
        ModelError: a file is missing or damaged.
    """
    different = _different_prompts(held.pairs)
    count = min(most, len(different))
    asked = [different[place * len(different) // count] for place in range(count)]
    sets = {knobs_of(pair) for pair in asked}  # an older server's pairs name fewer
    codecs = {names: load_codec(base, held.space.subset(names)) for names in sets}

    def scores(name: str, source: Path | None, before: int) -> AnswerScores:
        reader = load_reader(base, source)
        named: list[tuple[str, str]] = []
        for number, pair in enumerate(asked, start=1):
            named += _answer(reader, codecs[knobs_of(pair)], pair)
            progress(f"{name}, {number} of {count}", (before + number) / (2 * count))
        return _scores(count, named)

    return Answers(scores("tuned", adapter, 0), scores("base", None, count), len(different))


def _different_prompts(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The first pair of each prompt."""
    first: dict[str, Pair] = {}
    for pair in pairs:
        first.setdefault(pair.prompt, pair)
    return tuple(first.values())


def _answer(reader: Reader, codec: TokenCodec, pair: Pair) -> list[tuple[str, str]]:
    """Each label of the completion, with the one that the model answers."""
    from llmtune.model.decoder import Decoder

    wanted = codec.sequence(pair.prompt, pair.completion)
    (answered,) = Decoder(reader, codec).decode(codec.prompt(pair.prompt), 1, 1.0, 0)
    return [
        (codec.labels[target], answered.labels[codec.knobs[knob].name])
        for knob, target in zip(wanted.knobs, wanted.targets, strict=True)
    ]


def _scores(prompts: int, named: Sequence[tuple[str, str]]) -> AnswerScores:
    """Scores of labels, each with the one that was answered."""
    hits = [wanted == answered for wanted, answered in named]
    changed = [wanted == answered for wanted, answered in named if wanted != DEFAULT_LABEL]
    return AnswerScores(
        prompts=prompts,
        labels=len(hits),
        changed=len(changed),
        accuracy=sum(hits) / len(hits),
        changed_accuracy=sum(changed) / len(changed) if changed else 0.0,
    )
