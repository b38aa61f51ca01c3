"""Attention for candidates that share one prompt.

The general kernel would need the prompt's keys and values copied for each
candidate and each query head, and is slow for a handful of queries: it took
half of the decoder's time on two cores. Here all queries of all candidates meet
the one copy of the prompt in one matrix product for each key head.

This module imports torch; the modules that users import load it lazily.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

SHARED_PROMPT = "llmtune_shared_prompt"
"""The name under which transformers knows it."""


@dataclass(frozen=True, slots=True)
class SharedPrompt:
    """The prompt's keys and values by layer, each of shape (key heads, tokens, head width)."""

    layers: Sequence[tuple[Tensor, Tensor]]
    length: int


def shared_prompt_attention(  # the names and order are transformers'
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    shared: SharedPrompt | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Causal attention over the shared prompt and each candidate's own tokens.

    Args:
        query: shape (candidates, heads, new tokens, head width).
        key, value: each candidate's own, old and new; shape (candidates, key
            heads, own tokens, head width).
        shared: None means that there is no shared prompt, and ordinary attention.

    Returns:
        Shape (candidates, new tokens, heads, head width), and no weights.
    """
    if shared is None:
        return sdpa_attention_forward(  # type: ignore[return-value]
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
    candidates, heads, new, width = query.shape
    groups, own = key.shape[1], key.shape[2]
    prompt_key, prompt_value = shared.layers[module.layer_idx]
    # (candidates, key heads, queries of the key head, width), scaled
    rows = (query * scaling).reshape(candidates, groups, heads // groups * new, width)
    by_group = rows.transpose(0, 1).reshape(groups, -1, width)
    on_prompt = (by_group @ prompt_key.mT).reshape(groups, candidates, -1, shared.length)
    unseen = torch.ones(new, own, dtype=torch.bool, device=key.device).triu(own - new + 1)
    on_own = (rows @ key.mT).reshape(candidates, groups, -1, new, own)
    on_own = on_own.masked_fill(unseen, -torch.inf).reshape(candidates, groups, -1, own)
    both = torch.cat([on_prompt.transpose(0, 1), on_own], dim=-1)
    weights = both.softmax(dim=-1, dtype=torch.float32).to(query.dtype)
    of_prompt, of_own = weights.split([shared.length, own], dim=-1)
    from_prompt = of_prompt.transpose(0, 1).reshape(groups, -1, shared.length) @ prompt_value
    from_prompt = from_prompt.reshape(groups, candidates, -1, width).transpose(0, 1)
    mixed = (from_prompt + of_own @ value).reshape(candidates, heads, new, width)
    return mixed.transpose(1, 2).contiguous(), None


AttentionInterface.register(SHARED_PROMPT, shared_prompt_attention)
