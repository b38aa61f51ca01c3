"""Where a warm start's configurations come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from llmtune.cli.bench import Bench
from llmtune.cli.progress import Reporter
from llmtune.errors import UsageError
from llmtune.knobs.configuration import Configuration
from optimizers.warm_start import Proposal, portfolio, rules_proposal

MODEL_PROPOSALS = 3
"""The model's best that a session tries; more would crowd out the optimizer."""

CANDIDATES = 8
SOURCES = ("model", "rules", "default", "none")


def proposals(
    source: str, bench: Bench, adapter: Path | None, seed: int, reporter: Reporter
) -> tuple[tuple[Proposal, ...], float]:
    """The warm start's proposals, and the seconds that making them took.

    Args:
        source: `model` (a portfolio of the model's and the rules' configurations),
            `rules`, `default`, `none`, or a JSON file of knob to value.

    Raises:
        UsageError: neither a source nor a readable file of a configuration.
    """
    start = perf_counter()
    clients = bench.workload.clients
    rules = rules_proposal(bench.space, clients)
    if source in ("none", "default"):
        return (), 0.0
    if source == "rules":
        made: Sequence[Proposal] = [rules]
    elif source == "model":
        suggested = suggest(bench, adapter, CANDIDATES, seed, reporter)[:MODEL_PROPOSALS]
        made = [*(Proposal("model", configuration) for configuration in suggested), rules]
    else:
        made = [Proposal("file", _from_file(Path(source), bench))]
    return portfolio(*made), perf_counter() - start


def suggest(
    bench: Bench, adapter: Path | None, candidates: int, seed: int, reporter: Reporter
) -> list[Configuration]:
    """The model's configurations for the bench's workload, best first."""
    from llmtune.model.checkpoint import find_base_model
    from llmtune.model.suggest import load_suggester

    reporter.say("Asking the model ...")
    suggester = load_suggester(bench.space, find_base_model(progress=reporter.say), adapter)
    return [one.configuration for one in suggester.suggest(bench.profile, candidates, seed=seed)]


def _from_file(path: Path, bench: Bench) -> Configuration:
    known = ", ".join(SOURCES)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"warm start {str(path)!r} is none of {known}, and no file that can be read: "
            f"{error.strerror}"
        ) from error
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path}: not an object of knob to value")
    parsed = {name: bench.space.parse(name, _text(value)) for name, value in values.items()}
    return bench.space.configuration(parsed)


def _text(value: object) -> str:
    return (
        {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    )
