"""The Llama architecture as the decoder's reader, in plain torch.

transformers reads every architecture, but its import alone takes longer than a
whole suggestion should. The base model is a Llama, as many are, so this one is
read without: the same numbers from the same files, in a page.

Source of the architecture: Touvron et al., "LLaMA: Open and Efficient Foundation
Language Models" (arXiv 2302.13971), with grouped key heads.

This module imports torch; the modules that users import load it lazily.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding, linear, rms_norm, silu

from llmtune.errors import ModelError
from llmtune.model.attention import SharedPrompt, attend
from llmtune.model.checkpoint import BaseModel


@dataclass(frozen=True, slots=True)
class LlamaShape:
    """What the weights alone do not tell: `head_width` is that of one attention head."""

    layers: int
    head_width: int
    rope_theta: float
    epsilon: float
    tied: bool


def llama_shape(base: BaseModel) -> LlamaShape | None:
    """The shape of a base model, or None when it is no plain Llama in one file.

    Raises:
        ModelError: `config.json` is missing or damaged.
    """
    path = base.path / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        scaling = config.get("rope_scaling") or {}
        rope = config.get("rope_parameters") or {
            "rope_type": scaling.get("rope_type", scaling.get("type", "default")),
            "rope_theta": config.get("rope_theta", 10_000.0),
        }
        plain = (
            config["model_type"] == "llama"
            and config.get("hidden_act", "silu") == "silu"
            and rope.get("rope_type", "default") == "default"
            and not (config.get("attention_bias") or config.get("mlp_bias"))
            and not config.get("quantization_config")
        )
        if not plain or not (base.path / "model.safetensors").is_file():
            return None
        return LlamaShape(
            layers=config["num_hidden_layers"],
            head_width=config.get("head_dim")
            or config["hidden_size"] // config["num_attention_heads"],
            rope_theta=rope["rope_theta"],
            epsilon=config["rms_norm_eps"],
            tied=config.get("tie_word_embeddings", False),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(
            f"the model configuration {path} is damaged ({error!r}); {base.mend}"
        ) from error


class LlamaReader:
    """Reads with the weights of a Llama.

    Args:
        weights: by their names in the model's file.
    """

    def __init__(self, weights: Mapping[str, Tensor], shape: LlamaShape) -> None:
        self._weights = weights
        self._shape = shape
        self._embeddings = weights["model.embed_tokens.weight"]
        half = torch.arange(0, shape.head_width, 2, device=self._embeddings.device)
        self._frequencies = 1.0 / shape.rope_theta ** (half.float() / shape.head_width)
        self._shared: SharedPrompt | None = None
        self._own: list[tuple[Tensor, Tensor]] = []

    @property
    def output(self) -> Tensor:
        """The weight of the output layer."""
        return self._embeddings if self._shape.tied else self._weights["lm_head.weight"]

    def read(self, ids: Sequence[int]) -> Tensor:
        """Read a prompt; what is read next belongs to the candidates."""
        self._shared, self._own = None, []
        hidden = self.advance(torch.tensor([ids], device=self._embeddings.device))
        layers = [(keys[0], values[0]) for keys, values in self._own]
        self._shared, self._own = SharedPrompt(layers, len(ids)), []
        return hidden

    def advance(self, ids: Tensor) -> Tensor:
        """Read the candidates' next tokens."""
        start = self._own[0][0].shape[2] if self._own else 0
        start += self._shared.length if self._shared else 0
        rotation = self._rotation(start, ids.shape[1])
        past, self._own = self._own, []
        hidden = embedding(ids, self._embeddings)
        for index in range(self._shape.layers):
            before = past[index] if past else None
            hidden = hidden + self._attention(index, hidden, rotation, before)
            hidden = hidden + self._feed_forward(index, hidden)
        return self._norm("model.norm", hidden[:, -1])

    def _attention(
        self,
        index: int,
        hidden: Tensor,
        rotation: tuple[Tensor, Tensor],
        past: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        name = f"model.layers.{index}"
        hidden = self._norm(f"{name}.input_layernorm", hidden)
        query, key, value = (
            linear(hidden, self._weights[f"{name}.self_attn.{part}_proj.weight"])
            .view(*hidden.shape[:2], -1, self._shape.head_width)
            .transpose(1, 2)
            for part in "qkv"
        )
        query, key = _rotate(query, rotation), _rotate(key, rotation)
        if past:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        self._own.append((key, value))
        prompt = self._shared.layers[index] if self._shared else None
        mixed = attend(query, key, value, self._shape.head_width**-0.5, prompt)
        return linear(mixed.flatten(2), self._weights[f"{name}.self_attn.o_proj.weight"])

    def _feed_forward(self, index: int, hidden: Tensor) -> Tensor:
        name = f"model.layers.{index}"
        hidden = self._norm(f"{name}.post_attention_layernorm", hidden)
        gate = silu(linear(hidden, self._weights[f"{name}.mlp.gate_proj.weight"]))
        up = linear(hidden, self._weights[f"{name}.mlp.up_proj.weight"])
        return linear(gate * up, self._weights[f"{name}.mlp.down_proj.weight"])

    def _norm(self, name: str, hidden: Tensor) -> Tensor:
        weight = self._weights[f"{name}.weight"]
        return rms_norm(hidden, weight.shape, weight, self._shape.epsilon)

    def _rotation(self, start: int, tokens: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines of the rotary positions, each of shape (tokens, head width)."""
        positions = torch.arange(start, start + tokens, device=self._frequencies.device)
        angles = torch.outer(positions.float(), self._frequencies).repeat(1, 2)
        dtype = self._embeddings.dtype
        return angles.cos().to(dtype), angles.sin().to(dtype)


def _rotate(states: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    cosines, sines = rotation
    first, second = states.chunk(2, dim=-1)
    return states * cosines + torch.cat([-second, first], dim=-1) * sines
