"""Where a session's first configurations come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from llmtune.cli.bench import Bench
from llmtune.cli.progress import Reporter
from llmtune.cli.suggesting import CANDIDATES, ModelRequest, ReadyModel, ready_model, suggest
from llmtune.errors import UsageError
from llmtune.knobs.configuration import Configuration, Value
from llmtune.knobs.memory import repair
from optimizers.warm_start import Proposal, portfolio, rules_proposal

MODEL_PROPOSALS = 3
"""The model's best that a session tries; more would crowd out the optimizer."""

SOURCES = ("model", "rules", "default", "none")


@dataclass(frozen=True, slots=True)
class WarmStart:
    """A warm start that was checked as far as it can be without a server.

    Attributes:
        source: `model`, `rules`, `default`, `none` or a file's name.
        model: for the source `model`.
        values: for a file, its content: knob to value as people write it.
    """

    source: str
    model: ReadyModel | None = None
    values: Mapping[str, object] | None = None

    @property
    def identity(self) -> dict[str, str]:
        """What must be the same for two sessions to have had the same warm start."""
        if self.model is not None:
            return {"adapter": self.model.card.weights_sha256}
        if self.values is not None:
            content = json.dumps(self.values, sort_keys=True).encode()
            return {"warm_start_file": hashlib.sha256(content).hexdigest()}
        return {}


def open_warm_start(source: str, model: ModelRequest, reporter: Reporter) -> WarmStart:
    """Check what the user asked for, before any server is started.

    Args:
        source: one of `SOURCES`, or a JSON file of knob to value.

    Raises:
        UsageError: neither a source nor a file of a configuration.
        AdapterMismatch, ModelError: the model cannot be used.
    """
    if source == "model":
        return WarmStart(source, model=ready_model(model, reporter))
    if source in SOURCES:
        return WarmStart(source)
    return WarmStart(source, values=_read(Path(source)))


def proposals(
    warm_start: WarmStart, bench: Bench, seed: int, reporter: Reporter
) -> tuple[tuple[Proposal, ...], float]:
    """What to try after the default, and the seconds that making it took.

    Raises:
        UsageError: a file's knob or value is not the bench's.
    """
    start = perf_counter()
    made = portfolio(*_made(warm_start, bench, seed, reporter))
    return made, perf_counter() - start


def _made(warm_start: WarmStart, bench: Bench, seed: int, reporter: Reporter) -> Sequence[Proposal]:
    rules = rules_proposal(bench.space, bench.busy)
    if warm_start.model is not None:
        suggested = suggest(warm_start.model, bench, CANDIDATES, seed, reporter)
        # The model knows of the workload's sessions; others may be open on the server.
        mended = (repair(one, bench.space, bench.busy) for one in suggested[:MODEL_PROPOSALS])
        return [*(Proposal("model", one) for one in mended), rules]
    if warm_start.values is not None:
        configuration = _configuration(warm_start.source, warm_start.values, bench)
        return [Proposal("file", configuration)]
    return [rules] if warm_start.source == "rules" else []


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"warm start {str(path)!r} is none of {', '.join(SOURCES)}, and no file that can "
            f"be read: {error.strerror}"
        ) from error
    except ValueError as error:
        raise UsageError(
            f'{path}: not JSON ({error}); write it like {{"work_mem": "64MB"}}'
        ) from error
    if not isinstance(values, dict):
        raise UsageError(f'{path}: not an object of knob to value, such as {{"work_mem": "64MB"}}')
    return values


def _configuration(file: str, values: Mapping[str, object], bench: Bench) -> Configuration:
    try:
        return bench.space.configuration(
            {name: _value(name, value, bench) for name, value in values.items()}
        )
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error


def _value(name: str, value: object, bench: Bench) -> Value:
    if name not in bench.space and name in bench.space.server_defaults:
        why = "does nothing for this workload" if name in bench.whole else "is not ours to change"
        raise UsageError(f"knob {name} {why} on this server; leave it out")
    if isinstance(value, bool):
        value = "on" if value else "off"
    return bench.space.parse(name, str(value))
