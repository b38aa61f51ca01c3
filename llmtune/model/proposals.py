"""Making the configurations that a warm start asks for, on the server that they are for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter

from datagen.measurements import MEASUREMENTS_FILE, read_measurements
from llmtune.errors import UsageError
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.memory import repair
from llmtune.knobs.space import KnobSpace
from llmtune.knobs.storage import Storage
from llmtune.model.ranking import Ranker
from llmtune.model.stage import Stage
from llmtune.model.suggest import suggested
from llmtune.model.surrogate_search import surrogate_search
from llmtune.model.training_set import TRAINING_SET_FILE, TrainingSet, read_training_set
from llmtune.model.warm_start import Part, WarmStart
from optimizers.warm_start import Proposal, rules_proposal

CANDIDATES = 8
"""Drawn from the model, to choose from."""

MODEL_PROPOSALS = 3
"""The model's best, or the surrogate's, that a session tries; more would crowd out the
optimizer."""

NO_PLANS = "warm start surrogate asks a server for plans, and a recorded benchmark has none"


def proposals(
    warm_start: WarmStart, stage: Stage, seed: int, say: Callable[[str], None]
) -> tuple[tuple[Proposal, ...], float]:
    """What the sources propose to try after the default, and the seconds that making it took.

    Args:
        say: told in words before anything that takes seconds.

    Raises:
        UsageError: a file's knob or value is not the stage's, or a source needs a server.
    """
    start = perf_counter()
    made = [proposal for part in warm_start.parts for proposal in _made(part, stage, seed, say)]
    if [part.source for part in warm_start.parts] == ["model"]:
        made.append(_rules(stage))  # a bad model costs few trials so
    return tuple(made), perf_counter() - start


def check_without_server(warm_start: WarmStart, space: KnobSpace) -> None:
    """Make sure that a warm start can be made on a recorded benchmark of these knobs.

    Raises:
        UsageError: a file's knob or value is not the space's, or a source needs a server.
    """
    for part in warm_start.parts:
        if part.source == "surrogate":
            raise UsageError(NO_PLANS)
        if part.file is not None:
            part.file.configurations(space, space)


def _made(part: Part, stage: Stage, seed: int, say: Callable[[str], None]) -> Sequence[Proposal]:
    if part.source == "rules":
        return [_rules(stage)]
    if part.file is not None:
        found = part.file.configurations(stage.space, stage.whole)
    elif part.model is not None:
        say("Asking the model ...")
        found = tuple(suggested(part.model, stage, CANDIDATES, seed)[:MODEL_PROPOSALS])
    elif part.adapter is not None:
        found = _WAYS[part.source](part.adapter, stage, seed)
    else:
        return []
    if part.file is None:
        # What was learnt elsewhere may not fit here; a user's file is taken at its word.
        found = tuple(repair(one, stage.space, stage.busy) for one in found)
    return [Proposal(part.source, one) for one in found]


def _rules(stage: Stage) -> Proposal:
    """For SSD where the storage is not known."""
    storage = stage.storage or Storage.SSD
    return rules_proposal(stage.space, stage.busy, stage.workload_type, storage)


def _training(adapter: Path) -> TrainingSet:
    return read_training_set(adapter / TRAINING_SET_FILE)


def _nearest(adapter: Path, stage: Stage, seed: int) -> tuple[Configuration, ...]:  # noqa: ARG001
    return (_training(adapter).nearest(stage.profile, stage.space),)


def _constant(adapter: Path, stage: Stage, seed: int) -> tuple[Configuration, ...]:  # noqa: ARG001
    measurements = read_measurements(adapter / MEASUREMENTS_FILE)
    return (_training(adapter).constant(measurements, stage.space),)


def _surrogate(adapter: Path, stage: Stage, seed: int) -> tuple[Configuration, ...]:
    what_if = stage.what_if_features()
    if what_if is None:
        raise UsageError(NO_PLANS)
    ranker = Ranker(adapter, what_if.names)

    def ratio(configuration: Configuration) -> float:
        return ranker.ratio(stage.profile, what_if(configuration))

    found = surrogate_search(ratio, stage.space, seed, stage.busy)
    return tuple(found[:MODEL_PROPOSALS])


_WAYS: Mapping[str, Callable[[Path, Stage, int], tuple[Configuration, ...]]] = {
    "nearest": _nearest,
    "constant": _constant,
    "surrogate": _surrogate,
}
