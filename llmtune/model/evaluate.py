"""How well a model predicts held-out labels, against the untuned base model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datagen.pairs import Pair
from llmtune.errors import DatasetError
from llmtune.knobs.levels import DEFAULT_LABEL
from llmtune.model.adapter import load_adapter
from llmtune.model.checkpoint import BaseModel, best_device, load_base_model
from llmtune.model.held_out import HeldOut
from llmtune.model.label_scores import LabelScores
from llmtune.model.tokens import TokenCodec, TokenSequence, load_codec

BATCH = 4


@dataclass(frozen=True, slots=True)
class Scores(LabelScores):
    """Over all labels of some pairs, each predicted from the true ones before it.

    Attributes:
        pairs: how many.
        nll: mean negative log-likelihood of a label among the legal ones, nats.
    """

    pairs: int
    nll: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The same pairs under the tuned and the untuned model."""

    tuned: Scores
    base: Scores

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, for the card."""
        return asdict(self)


def encode_pairs(codec: TokenCodec, pairs: Iterable[Pair]) -> tuple[TokenSequence, ...]:
    """All pairs as tokens.

    Raises:
        DatasetError: a completion does not fit the codec's knobs; the pair's
            number, from 1, is named.
    """
    sequences = []
    for number, pair in enumerate(pairs, start=1):
        try:
            sequences.append(codec.sequence(pair.prompt, pair.completion))
        except DatasetError as error:
            raise DatasetError(f"pair {number}: {error}") from error
    return tuple(sequences)


def score(model: Any, codec: TokenCodec, sequences: Sequence[TokenSequence]) -> Scores:
    """Score a loaded model, whose adapter, if any, counts.

    Raises:
        DatasetError: there is nothing to score.
    """
    import torch

    from llmtune.model.labels import collate, label_head, label_log_probabilities, transformer_body

    if not sequences:
        raise DatasetError("there are no labels to evaluate on")
    head, body = label_head(model, codec), transformer_body(model)
    default = codec.labels.index(DEFAULT_LABEL)
    nll, right, changed, changed_right = 0.0, 0, 0, 0
    ordered = sorted(sequences, key=lambda one: len(one.ids))
    with torch.inference_mode():
        for start in range(0, len(ordered), BATCH):
            batch = collate(ordered[start : start + BATCH], str(model.device))
            scores = label_log_probabilities(body, head, batch)
            hit, moved = scores.argmax(dim=1) == batch.targets, batch.targets != default
            nll -= float(scores.gather(1, batch.targets[:, None]).sum())
            right, changed = right + int(hit.sum()), changed + int(moved.sum())
            changed_right += int((hit & moved).sum())
    labels = sum(len(one.targets) for one in sequences)
    return Scores(
        pairs=len(sequences),
        labels=labels,
        changed=changed,
        nll=nll / labels,
        accuracy=right / labels,
        changed_accuracy=changed_right / changed if changed else 0.0,
    )


def compare_with_base(
    model: Any, codec: TokenCodec, sequences: Sequence[TokenSequence]
) -> Evaluation:
    """Score a PEFT model with its adapter and without."""
    tuned = score(model, codec, sequences)
    with model.disable_adapter():
        return Evaluation(tuned, score(model, codec, sequences))


def evaluate_adapter(base: BaseModel, adapter: Path, held: HeldOut) -> Evaluation:
    """Evaluate an adapter's folder on held-out pairs.

    Args:
        held: as `held_out_for` gives it for this adapter.

    Raises:
        ModelError: a file is missing or damaged.
        DatasetError: a completion does not fit the knobs of `held`.
    """
    codec = load_codec(base, held.space)
    sequences = encode_pairs(codec, held.pairs)
    model = load_adapter(load_base_model(base, best_device()), adapter)
    return compare_with_base(model, codec, sequences)
