"""The model that is asked: which one was meant, found and checked before any server runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llmtune.knobs.catalogue import load_catalogue
from llmtune.model.adapter import DEFAULT_ADAPTER, Card, check_adapter, read_card
from llmtune.model.checkpoint import BaseModel, find_base_model


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """The model that the user asked for; None means what comes with LLMTune."""

    adapter: Path | None = None
    base: str | None = None


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A base model and an adapter that was checked against it and the catalogue."""

    base: BaseModel
    adapter: Path
    card: Card


def ready_model(request: ModelRequest, say: Callable[[str], None]) -> ReadyModel:
    """Find and check the model, before any server is started for it.

    Args:
        say: told in words before anything that takes seconds.

    Raises:
        AdapterMismatch, ModelError: it cannot be used.
    """
    adapter = request.adapter or DEFAULT_ADAPTER
    read_card(adapter)  # before the base model, which may have to be converted first
    base = find_base_model(request.base, progress=say)
    return ReadyModel(base, adapter, check_adapter(adapter, base, load_catalogue().hash))
