"""Constrained decoding: one forward for each knob, a choice among its legal labels.

This module imports torch; the modules that users import load it lazily.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from llmtune.model.labels import LabelHead
from llmtune.model.tokens import TokenCodec


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded completion.

    Attributes:
        labels: knob name -> label, every knob of the codec.
        log_likelihood: natural logarithm of the joint probability under the model of
            the labels that were not given, whatever the temperature they were drawn at.
    """

    labels: dict[str, str]
    log_likelihood: float


class Reader(Protocol):
    """A language model that reads one prompt, then continues it in several ways at once."""

    @property
    def output(self) -> Tensor:
        """The weight of the output layer, shape (vocabulary, width)."""
        ...

    def read(self, ids: Sequence[int]) -> Tensor:
        """Read a prompt and forget what was read before; its last hidden state, (1, width)."""
        ...

    def advance(self, ids: Tensor) -> Tensor:
        """Read the candidates' next tokens, (candidates, tokens), as many as in the last call.

        Returns:
            The last hidden states, shape (candidates, width).
        """
        ...


class Decoder:
    """Decodes completions from prompts; its output is always a legal configuration.

    Args:
        given: by knob, labels that every completion has, whatever the model thinks of them.
    """

    def __init__(
        self, reader: Reader, codec: TokenCodec, given: Mapping[str, str] | None = None
    ) -> None:
        self._reader = reader
        self._codec = codec
        self._head = LabelHead(reader.output, codec)
        self._device = reader.output.device
        self._given = {name: codec.labels.index(label) for name, label in (given or {}).items()}

    @torch.inference_mode()
    def decode(
        self, prompt: Sequence[int], candidates: int, temperature: float, seed: int
    ) -> tuple[Decoded, ...]:
        """Decode `candidates` completions at once.

        The first takes the likeliest label at every knob; the others are drawn
        at `temperature`. The prompt is read once and shared.
        """
        hidden = self._reader.read([*prompt, *self._codec.knobs[0].prefix])
        with _one_thread():
            chosen, totals = self._choose_all(hidden.expand(candidates, -1), temperature, seed)
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
        self, hidden: Tensor, temperature: float, seed: int
    ) -> tuple[list[list[int]], list[float]]:
        """Each knob's columns, one for each candidate, and the candidates' log-likelihoods."""
        generator = torch.Generator(self._device).manual_seed(seed)
        candidates = hidden.shape[0]
        totals = torch.zeros(candidates, device=self._device)
        chosen: list[list[int]] = []
        for index, knob in enumerate(self._codec.knobs):
            if index:
                steps = [self._codec.step(column, index) for column in chosen[-1]]
                hidden = self._reader.advance(torch.tensor(steps, device=self._device))
            if knob.name in self._given:
                chosen.append([self._given[knob.name]] * candidates)
                continue
            knobs = torch.full((candidates,), index, device=self._device)
            scores = self._head.log_probabilities(hidden, knobs)
            columns = _choose(scores, temperature, generator)
            totals += scores.gather(1, columns[:, None])[:, 0]
            chosen.append(columns.tolist())
        return chosen, totals.tolist()


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
