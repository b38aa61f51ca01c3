"""Batches of label positions, and the model's distribution over legal labels.

Only labels are ever predicted, and only among a knob's legal ones. So the
output layer is reduced to the few label tokens, the softmax runs over the legal
ones, and training optimises the very distribution that the decoder draws from.

This module imports torch; the modules that users import load it lazily.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from llmtune.model.tokens import TokenCodec, TokenSequence


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences padded on the right, and their labels in one flat list.

    Attributes:
        ids: token ids, shape (sequences, longest).
        rows, positions: where in `ids` each label is predicted, shape (labels,).
        knobs, targets: which knob and which label it is, shape (labels,).
        tokens: number of tokens that are not padding.
    """

    ids: Tensor
    rows: Tensor
    positions: Tensor
    knobs: Tensor
    targets: Tensor
    tokens: int


def collate(sequences: Sequence[TokenSequence], device: str) -> Batch:
    """Put sequences side by side.

    Padding on the right needs no attention mask: a causal model's real tokens
    never see it.
    """
    longest = max(len(one.ids) for one in sequences)
    ids = torch.zeros(len(sequences), longest, dtype=torch.long)
    for row, one in enumerate(sequences):
        ids[row, : len(one.ids)] = torch.tensor(one.ids)
    return Batch(
        ids=ids.to(device),
        rows=_vector((row for row, one in enumerate(sequences) for _ in one.positions), device),
        positions=_vector((index for one in sequences for index in one.positions), device),
        knobs=_vector((knob for one in sequences for knob in one.knobs), device),
        targets=_vector((target for one in sequences for target in one.targets), device),
        tokens=sum(len(one.ids) for one in sequences),
    )


def _vector(values: Iterable[int], device: str) -> Tensor:
    return torch.tensor(list(values), dtype=torch.long, device=device)


class LabelHead:
    """The output layer's rows for the label tokens, and which labels each knob may have."""

    def __init__(self, output: Tensor, codec: TokenCodec) -> None:
        """Args: output: the weight of the output layer, shape (vocabulary, width)."""
        # Float32: thirteen rows cost nothing, and close labels stay apart.
        self._weight = output[list(codec.label_ids)].detach().float()
        legal = torch.zeros(len(codec.knobs), len(codec.labels), dtype=torch.bool)
        for row, knob in enumerate(codec.knobs):
            legal[row, list(knob.columns)] = True
        self._legal = legal.to(output.device)

    def log_probabilities(self, hidden: Tensor, knobs: Tensor) -> Tensor:
        """Log-probabilities of each label, minus infinity for illegal ones.

        Args:
            hidden: last hidden states that predict labels, shape (n, width).
            knobs: the knobs' indices in the codec, shape (n,).

        Returns:
            Shape (n, labels), float32; natural logarithms.
        """
        logits = hidden.float() @ self._weight.T
        legal: Tensor = self._legal[knobs]
        scores: Tensor = logits.masked_fill(~legal, -torch.inf).log_softmax(dim=-1)
        return scores


def label_head(model: Any, codec: TokenCodec) -> LabelHead:
    """The label head of a transformers model, with or without an adapter."""
    return LabelHead(model.get_output_embeddings().weight, codec)


def transformer_body(model: Any) -> Any:
    """The model without its output layer, LoRA layers included: tokens in, hidden states out."""
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    return causal.base_model


def label_log_probabilities(body: Any, head: LabelHead, batch: Batch) -> Tensor:
    """Log-probabilities at every label of a batch, shape (labels of the batch, labels)."""
    hidden = body(input_ids=batch.ids, use_cache=False).last_hidden_state
    return head.log_probabilities(hidden[batch.rows, batch.positions], batch.knobs)
