"""Adding an adapter to the base model's weights, for use without peft.

peft can do it too, but takes five seconds for its import, its wrapping and 210
merges; a cold suggestion is to take a few seconds in all.

This module imports torch; the modules that users import load it lazily.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from llmtune.errors import ModelError
from llmtune.model.adapter import CONFIG, WEIGHTS

PREFIX = "base_model.model."
"""What peft writes before the base model's own module names."""


def merge_adapter(weights: Mapping[str, Tensor], folder: Path) -> None:
    """Add the adapter of a checked folder to the weights of its base model, in place.

    The sum is rounded once to the weights' number type.

    Args:
        weights: by their names in the base model.

    Raises:
        ModelError: a file is missing or damaged, or the adapter is not plain LoRA
            for this model.
    """
    scaling = _scaling(folder / CONFIG)
    tensors = _tensors(folder / WEIGHTS)
    names = sorted(name.removesuffix(".lora_A.weight") for name in tensors if ".lora_A." in name)
    halves = {f"{name}.lora_{half}.weight" for name in names for half in "AB"}
    if not names or set(tensors) != halves:
        raise ModelError(f"{folder / WEIGHTS} does not hold plain LoRA layers; train it again")
    with torch.no_grad():
        for name in names:
            low, high = (tensors[f"{name}.lora_{half}.weight"] for half in "AB")
            try:
                weight = weights[f"{name.removeprefix(PREFIX)}.weight"]
                weight.addmm_(high.to(weight), low.to(weight), alpha=scaling)
            except (KeyError, RuntimeError) as error:
                raise ModelError(
                    f"the adapter in {folder} does not fit the base model at {name}: {error}"
                ) from error


def _scaling(path: Path) -> float:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        plain = not (config.get("use_rslora") or config.get("use_dora"))
        varied = config.get("rank_pattern") or config.get("alpha_pattern")
        scaling = float(config["lora_alpha"] / config["r"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError) as error:
        raise ModelError(
            f"the adapter configuration {path} is damaged ({error!r}); copy the folder afresh"
            " or train the adapter again"
        ) from error
    if not plain or varied:
        raise ModelError(f"{path} asks for more than plain LoRA; train it with `llmtune train`")
    return scaling


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"the adapter weights {path} are damaged ({error}); copy the folder afresh"
            " or train the adapter again"
        ) from error
    return tensors
