"""Constrained decoding: one forward for each knob, a choice among its legal labels.

This module imports torch; the modules that users import load it lazily.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from llmtune.model.labels import LabelHead, transformer_body
from llmtune.model.tokens import TokenCodec


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded completion.

    Attributes:
        labels: knob name -> label, every knob of the codec.
        log_likelihood: natural logarithm of the labels' joint probability under
            the model, whatever the temperature they were drawn at.
    """

    labels: dict[str, str]
    log_likelihood: float


class Decoder:
    """Decodes completions from prompts; its output is always a legal configuration."""

    def __init__(self, model: Any, codec: TokenCodec) -> None:
        self._codec = codec
        self._head = LabelHead(model, codec)
        self._config = model.config
        self._body = transformer_body(model)
        self._device = model.device

    @torch.inference_mode()
    def decode(
        self, prompt: Sequence[int], candidates: int, temperature: float, seed: int
    ) -> tuple[Decoded, ...]:
        """Decode `candidates` completions at once.

        The first takes the likeliest label at every knob; the others are drawn
        at `temperature`. The prompt is read once and shared.
        """
        generator = torch.Generator(self._device).manual_seed(seed)
        knobs = self._codec.knobs
        cache, hidden = self._read(prompt, candidates)
        totals = torch.zeros(candidates, device=self._device)
        chosen = []
        for index in range(len(knobs)):
            scores = self._head.log_probabilities(
                hidden, torch.full((candidates,), index, device=self._device)
            )
            columns = _choose(scores, temperature, generator)
            totals += scores.gather(1, columns[:, None])[:, 0]
            chosen.append(columns.tolist())
            if index + 1 < len(knobs):
                hidden = self._advance(chosen[-1], index + 1, cache)
        return tuple(
            Decoded(
                {
                    knob.name: self._codec.labels[columns[candidate]]
                    for knob, columns in zip(knobs, chosen, strict=True)
                },
                total,
            )
            for candidate, total in enumerate(totals.tolist())
        )

    def _read(self, prompt: Sequence[int], candidates: int) -> tuple[Any, Tensor]:
        """Read the prompt and the first knob's name once, then share them."""
        from transformers import DynamicCache

        ids = torch.tensor([[*prompt, *self._codec.knobs[0].prefix]], device=self._device)
        cache = DynamicCache(config=self._config)
        hidden = self._body(input_ids=ids, past_key_values=cache, use_cache=True).last_hidden_state
        cache.batch_repeat_interleave(candidates)
        return cache, hidden[:, -1].expand(candidates, -1)

    def _advance(self, columns: list[int], following: int, cache: Any) -> Tensor:
        """Feed each candidate's label, the newline and the next name in one forward."""
        steps = [self._codec.step(column, following) for column in columns]
        ids = torch.tensor(steps, device=self._device)
        output = self._body(input_ids=ids, past_key_values=cache, use_cache=True)
        hidden: Tensor = output.last_hidden_state[:, -1]
        return hidden


def _choose(scores: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """The first row's likeliest column and a drawn one for the others, shape (candidates,)."""
    drawn = torch.multinomial(
        (scores / temperature).softmax(dim=-1), num_samples=1, generator=generator
    )[:, 0]
    drawn[0] = scores[0].argmax()
    return drawn
