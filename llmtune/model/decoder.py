"""Constrained decoding: one forward for each knob, a choice among its legal labels.

This module imports torch; the modules that users import load it lazily.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from llmtune.model.attention import GROUPED, SharedPrompt
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
        model.set_attn_implementation(GROUPED)
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
        shared, hidden = self._read(prompt)
        with _one_thread():
            chosen, totals = self._choose_all(
                shared, hidden.expand(candidates, -1), temperature, seed
            )
        return tuple(
            Decoded(
                {
                    knob.name: self._codec.labels[columns[candidate]]
                    for knob, columns in zip(self._codec.knobs, chosen, strict=True)
                },
                total,
            )
            for candidate, total in enumerate(totals)
        )

    def _choose_all(
        self, shared: SharedPrompt, hidden: Tensor, temperature: float, seed: int
    ) -> tuple[list[list[int]], list[float]]:
        """Each knob's columns, one for each candidate, and the candidates' log-likelihoods."""
        generator = torch.Generator(self._device).manual_seed(seed)
        cache = DynamicCache(config=self._config)
        candidates = hidden.shape[0]
        totals = torch.zeros(candidates, device=self._device)
        chosen: list[list[int]] = []
        for index in range(len(self._codec.knobs)):
            if index:
                hidden = self._advance(chosen[-1], index, shared, cache)
            knobs = torch.full((candidates,), index, device=self._device)
            scores = self._head.log_probabilities(hidden, knobs)
            columns = _choose(scores, temperature, generator)
            totals += scores.gather(1, columns[:, None])[:, 0]
            chosen.append(columns.tolist())
        return chosen, totals.tolist()

    def _read(self, prompt: Sequence[int]) -> tuple[SharedPrompt, Tensor]:
        """Read the prompt and the first knob's name once, for all candidates."""
        ids = torch.tensor([[*prompt, *self._codec.knobs[0].prefix]], device=self._device)
        cache = DynamicCache(config=self._config)
        hidden = self._body(input_ids=ids, past_key_values=cache, use_cache=True).last_hidden_state
        layers = [(layer.keys[0], layer.values[0]) for layer in cache.layers]
        return SharedPrompt(layers, ids.shape[1]), hidden[:, -1]

    def _advance(
        self, columns: list[int], following: int, shared: SharedPrompt, cache: Any
    ) -> Tensor:
        """Feed each candidate's label, the next name in one forward."""
        steps = [self._codec.step(column, following) for column in columns]
        ids = torch.tensor(steps, device=self._device)
        start = shared.length + cache.get_seq_length()
        positions = torch.arange(start, start + ids.shape[1], device=self._device)[None]
        output = self._body(
            input_ids=ids,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            shared=shared,
        )
        hidden: Tensor = output.last_hidden_state[:, -1]
        return hidden


def _choose(scores: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """The first row's likeliest column and a drawn one for the others, shape (candidates,)."""
    drawn = torch.multinomial(
        (scores / temperature).softmax(dim=-1), num_samples=1, generator=generator
    )[:, 0]
    drawn[0] = scores[0].argmax()
    return drawn


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute in one thread.

    The decoder's forwards are thousands of operations of microseconds, bound by
    reading the weights. A second thread gains little, and when another process
    keeps its core busy, the first waits for it at each of them: 58 s for 8 s.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
