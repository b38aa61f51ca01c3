"""Asking the model: which one was asked for, whether it fits, what it suggests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llmtune.cli.bench import Bench
from llmtune.cli.progress import Reporter
from llmtune.knobs.catalogue import load_catalogue
from llmtune.knobs.configuration import Configuration
from llmtune.model.adapter import DEFAULT_ADAPTER, Card, check_adapter, read_card
from llmtune.model.checkpoint import BaseModel, find_base_model
from llmtune.model.ranking import Ranker
from llmtune.model.suggest import load_suggester
from llmtune.postgres.what_if import WhatIfFeatures

CANDIDATES = 8


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


def ready_model(request: ModelRequest, reporter: Reporter) -> ReadyModel:
    """Find and check the model, before any server is started for it.

    Raises:
        AdapterMismatch, ModelError: it cannot be used.
    """
    adapter = request.adapter or DEFAULT_ADAPTER
    read_card(adapter)  # before the base model, which may have to be converted first
    base = find_base_model(request.base, progress=reporter.say)
    return ReadyModel(base, adapter, check_adapter(adapter, base, load_catalogue().hash))


def suggest(
    model: ReadyModel, bench: Bench, candidates: int, seed: int, reporter: Reporter
) -> list[Configuration]:
    """The model's configurations for the bench's workload, best first.

    The model's likeliest comes first; the others follow in the order of the time
    that their plans promise.
    """
    reporter.say("Asking the model ...")
    suggester = load_suggester(bench.space, model.base, model.adapter)
    suggestions = suggester.suggest(bench.profile, candidates, seed=seed)
    mode, *others = [one.configuration for one in suggestions]
    what_if = WhatIfFeatures(bench.target, bench.database, bench.workload, bench.space)
    ranker = Ranker(model.adapter, what_if.names)
    return [mode, *sorted(others, key=lambda one: ranker.ratio(bench.profile, what_if(one)))]
