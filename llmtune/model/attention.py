"""Causal attention for few, short sequences on a processor, with a shared prompt.

The general kernel of torch takes a third of a training step and half of the
decoder's time on two cores. Plain matrix products over all query heads of a key
head are several times faster at these lengths, and let the candidates of the
decoder share one copy of the prompt's keys and values.

It is full attention: no window, no soft cap, no sinks; `reader` refuses models that
have them. This module imports torch; the modules that users import load it lazily.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class SharedPrompt:
    """The prompt's keys and values by layer, each of shape (key heads, tokens, head width)."""

    layers: Sequence[tuple[Tensor, Tensor]]
    length: int


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scaling: float,
    prompt: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Attention of new tokens to the shared prompt, if any, and to their own sequence.

    Args:
        query: shape (sequences, heads, new tokens, head width).
        key, value: the sequences' own, old and new; shape (sequences, key
            heads, own tokens, head width).
        prompt: one layer's of a `SharedPrompt`, before each of the sequences.

    Returns:
        Shape (sequences, new tokens, heads, head width).
    """
    sequences, heads, new, width = query.shape
    groups, own = key.shape[1], key.shape[2]
    # All query heads of one key head side by side: (sequences, key heads, queries, width)
    rows = (query * scaling).reshape(sequences, groups, -1, width)
    unseen = torch.ones(new, own, dtype=torch.bool, device=key.device).triu(own - new + 1)
    bias = torch.zeros(new, own, dtype=key.dtype, device=key.device).masked_fill(unseen, -torch.inf)
    scores = ((rows @ key.mT).view(sequences, heads, new, own) + bias).view(*rows.shape[:3], own)
    if prompt is None:
        mixed = scores.softmax(dim=-1) @ value
    else:
        mixed = _with_prompt(rows, scores, value, prompt)
    return mixed.reshape(sequences, heads, new, width).transpose(1, 2).contiguous()


def _with_prompt(
    rows: Tensor, scores: Tensor, value: Tensor, prompt: tuple[Tensor, Tensor]
) -> Tensor:
    """Mix own values and the prompt's: all sequences' queries meet its one copy at once."""
    sequences, groups, queries, width = rows.shape
    prompt_key, prompt_value = prompt
    by_group = rows.transpose(0, 1).reshape(groups, -1, width)
    on_prompt = (by_group @ prompt_key.mT).view(groups, sequences, queries, -1).transpose(0, 1)
    weights = torch.cat([on_prompt, scores], dim=-1).softmax(dim=-1)
    length = prompt_key.shape[1]
    of_prompt = weights[..., :length].transpose(0, 1).reshape(groups, -1, length)
    mixed = (of_prompt @ prompt_value).view(groups, sequences, queries, width).transpose(0, 1)
    return mixed + weights[..., length:] @ value
