"""Any causal language model of transformers as the decoder's reader.

This module imports torch; the modules that users import load it lazily.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, DynamicCache

from llmtune.errors import ModelError
from llmtune.model.attention import SharedPrompt, attend
from llmtune.model.labels import transformer_body

GROUPED = "llmtune_grouped"
"""The name under which transformers knows our attention."""


def grouped_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    *,
    scaling: float,
    shared: SharedPrompt | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """`attend` in the form that transformers calls; it returns no weights.

    Raises:
        ModelError: the model's own attention is another.
    """
    _check_plain(options, key.shape[2] + (shared.length if shared else 0))
    prompt = shared.layers[module.layer_idx] if shared else None
    return attend(query, key, value, scaling, prompt), None


def _check_plain(options: Mapping[str, Any], tokens: int) -> None:
    """Make sure that full attention over so many tokens is what the model was made with."""
    window = options.get("sliding_window")
    found = {
        "caps its attention scores": options.get("softcap") is not None,
        "has attention sinks": options.get("s_aux") is not None,
        f"sees only {window} of these {tokens} tokens": window is not None and tokens > window,
    }
    for what, does in found.items():
        if does:
            raise ModelError(
                f"the base model {what}, which LLMTune does not compute; use a base model with"
                " full attention, such as the default"
            )


AttentionInterface.register(GROUPED, grouped_attention)


class TransformersReader:
    """Reads with a loaded model of transformers."""

    def __init__(self, model: Any) -> None:
        model.set_attn_implementation(GROUPED)
        self._model = model
        self._body = transformer_body(model)
        self._shared = SharedPrompt((), 0)
        self._cache = DynamicCache(config=model.config)

    @property
    def output(self) -> Tensor:
        """The weight of the output layer."""
        weight: Tensor = self._model.get_output_embeddings().weight
        return weight

    def read(self, ids: Sequence[int]) -> Tensor:
        """Read a prompt; what is read next belongs to the candidates."""
        cache = DynamicCache(config=self._model.config)
        tokens = torch.tensor([ids], device=self._model.device)
        output = self._body(input_ids=tokens, past_key_values=cache, use_cache=True)
        self._shared = SharedPrompt(
            [(layer.keys[0], layer.values[0]) for layer in cache.layers], len(ids)
        )
        self._cache = DynamicCache(config=self._model.config)
        hidden: Tensor = output.last_hidden_state[:, -1]
        return hidden

    def advance(self, ids: Tensor) -> Tensor:
        """Read the candidates' next tokens."""
        start = self._shared.length + self._cache.get_seq_length()
        positions = torch.arange(start, start + ids.shape[1], device=ids.device)[None]
        output = self._body(
            input_ids=ids,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            shared=self._shared,
        )
        hidden: Tensor = output.last_hidden_state[:, -1]
        return hidden
