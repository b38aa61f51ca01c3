"""Where a session's first configurations come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import TypeAlias

from datagen.measurements import MEASUREMENTS_FILE, read_measurements
from llmtune.cli.bench import Bench
from llmtune.cli.progress import Reporter
from llmtune.cli.recordings import RecordedBench
from llmtune.cli.suggesting import CANDIDATES, ModelRequest, ReadyModel, ready_model, suggest
from llmtune.cli.warm_start_file import WarmStartFile, read_file
from llmtune.errors import DatasetError, UsageError
from llmtune.knobs.configuration import Configuration
from llmtune.knobs.memory import repair
from llmtune.knobs.space import KnobSpace
from llmtune.model.adapter import DEFAULT_ADAPTER
from llmtune.model.ranking import Ranker
from llmtune.model.suggest import load_suggester
from llmtune.model.surrogate_search import surrogate_search
from llmtune.model.training_set import TRAINING_SET_FILE, TrainingSet, read_training_set
from llmtune.postgres.what_if import WhatIfFeatures
from optimizers.warm_start import Proposal, portfolio, rules_proposal

MODEL_PROPOSALS = 3
"""The model's best, or the surrogate's, that a session tries; more would crowd out the
optimizer."""

NOTHING = ("default", "none")
"""Sources that add nothing: every session measures the default first."""

OF_THE_ADAPTER = ("constant", "nearest", "surrogate")
"""Sources that use the files that came with the adapter, and no language model."""

SOURCES = ("model", "rules", *NOTHING, *OF_THE_ADAPTER)

NO_PLANS = "warm start surrogate asks a server for plans, and a recorded benchmark has none"

Stage: TypeAlias = Bench | RecordedBench
"""What proposals are made for."""


@dataclass(frozen=True, slots=True)
class Part:
    """One source of a portfolio, checked as far as it can be without a server.

    Attributes:
        source: one of `SOURCES`, or `file`.
        model: for the source `model`.
        adapter: the folder, for the sources that use its files.
        files: the SHA-256 (hex) of what the source learns from beside weights, by name.
    """

    source: str
    model: ReadyModel | None = None
    adapter: Path | None = None
    files: tuple[tuple[str, str], ...] = ()
    file: WarmStartFile | None = None


@dataclass(frozen=True, slots=True)
class WarmStart:
    """A portfolio: its parts' proposals in order, each configuration once.

    Attributes:
        source: as the user wrote it.
    """

    source: str
    parts: tuple[Part, ...]

    @property
    def cold(self) -> bool:
        """Whether it proposes nothing."""
        return all(part.source in NOTHING for part in self.parts)

    @property
    def identity(self) -> dict[str, str]:
        """What must be the same for two sessions to have had the same warm start."""
        facts: dict[str, str] = {}
        for part in self.parts:
            if part.model is not None:
                facts["adapter"] = part.model.card.weights_sha256
            facts.update(part.files)
            if part.file is not None:
                name = "warm_start_file"
                facts[name] = "+".join(filter(None, (facts.get(name), part.file.sha256)))
        return facts


def open_warm_start(source: str, model: ModelRequest, reporter: Reporter) -> WarmStart:
    """Check what the user asked for, before any server is started.

    Args:
        source: `SOURCES` and JSON files of knob to value, with commas between them.

    Raises:
        UsageError: neither a source nor a file of configurations.
        AdapterMismatch, ModelError, DatasetError: the adapter cannot be used.
    """
    names = [name.strip() for name in source.split(",")]
    if Path(source).is_file():  # its name may well have commas
        names = [source]
    parts = [_part(name, model, reporter) for name in dict.fromkeys(names)]
    return WarmStart(source, tuple(parts))


def proposals(
    warm_start: WarmStart, stage: Stage, seed: int, reporter: Reporter
) -> tuple[tuple[Proposal, ...], float]:
    """What to try after the default, and the seconds that making it took.

    Raises:
        UsageError: a file's knob or value is not the stage's, or a source needs a server.
    """
    start = perf_counter()
    made = [
        proposal for part in warm_start.parts for proposal in _made(part, stage, seed, reporter)
    ]
    if [part.source for part in warm_start.parts] == ["model"]:
        made.append(rules_proposal(stage.space, stage.busy))  # a bad model costs few trials so
    return portfolio(*made), perf_counter() - start


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


def trained_on(warm_starts: Iterable[WarmStart], data_set: str) -> tuple[str, ...]:
    """A note if warm starts were learnt from the very data set that they are tried on.

    Raises:
        DatasetError: an adapter's measurements cannot be read.
    """
    learnt: dict[str, Path] = {}
    for part in (part for one in warm_starts for part in one.parts):
        folder = part.adapter if part.model is None else part.model.adapter
        if folder is not None:
            learnt[part.source] = folder
    told = [
        source
        for source, folder in learnt.items()
        if any(
            line.startswith(f"{data_set},")
            for line in read_measurements(folder / MEASUREMENTS_FILE).sources
        )
    ]
    if not told:
        return ()
    return (f"in-sample: {', '.join(told)} learnt from measurements of {data_set} itself",)


def _part(name: str, model: ModelRequest, reporter: Reporter) -> Part:
    if name == "model":
        ready = ready_model(model, reporter)
        return Part(name, model=ready, files=_learnt_from(name, ready.adapter))
    if name in OF_THE_ADAPTER:
        adapter = model.adapter or DEFAULT_ADAPTER
        if name != "surrogate":
            read_training_set(adapter / TRAINING_SET_FILE)
        return Part(name, adapter=adapter, files=_learnt_from(name, adapter))
    if name in SOURCES:
        return Part(name)
    try:
        return Part("file", file=read_file(Path(name)))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(
            f"warm start {name!r} is none of {', '.join(SOURCES)}, and no file that can "
            f"be read: {reason}"
        ) from error


def _learnt_from(source: str, adapter: Path) -> tuple[tuple[str, str], ...]:
    """Hashes, for `Part.files`: the folder's name alone would not tell a retrained adapter."""
    try:
        contents = [(name, (adapter / name).read_bytes()) for name in _FILES[source]]
    except OSError as error:
        raise DatasetError(
            f"the adapter's file {error.filename} cannot be read ({error.strerror}); train it "
            "again with `llmtune train`, which writes the file"
        ) from error
    return tuple((name, sha256(content).hexdigest()) for name, content in contents)


def _made(part: Part, stage: Stage, seed: int, reporter: Reporter) -> Sequence[Proposal]:
    if part.source == "rules":
        return [rules_proposal(stage.space, stage.busy)]
    if part.file is not None:
        found = part.file.configurations(stage.space, stage.whole)
    elif part.model is not None:
        found = tuple(_suggested(part.model, stage, seed, reporter)[:MODEL_PROPOSALS])
    elif part.adapter is not None:
        found = _WAYS[part.source](part.adapter, stage, seed)
    else:
        return []
    if part.file is None:
        # What was learnt elsewhere may not fit here; a user's file is taken at its word.
        found = tuple(repair(one, stage.space, stage.busy) for one in found)
    return [Proposal(part.source, one) for one in found]


def _suggested(
    model: ReadyModel, stage: Stage, seed: int, reporter: Reporter
) -> list[Configuration]:
    if isinstance(stage, Bench):
        return suggest(model, stage, CANDIDATES, seed, reporter)
    # No server, so no plans to rank the candidates by: they keep the model's own order.
    reporter.say("Asking the model ...")
    suggester = load_suggester(stage.space, model.base, model.adapter)
    made = suggester.suggest(stage.profile, CANDIDATES, seed=seed)
    return [one.configuration for one in made]


def _training(adapter: Path) -> TrainingSet:
    return read_training_set(adapter / TRAINING_SET_FILE)


def _nearest(adapter: Path, stage: Stage, seed: int) -> tuple[Configuration, ...]:  # noqa: ARG001
    return (_training(adapter).nearest(stage.profile, stage.space),)


def _constant(adapter: Path, stage: Stage, seed: int) -> tuple[Configuration, ...]:  # noqa: ARG001
    measurements = read_measurements(adapter / MEASUREMENTS_FILE)
    return (_training(adapter).constant(measurements, stage.space),)


def _surrogate(adapter: Path, stage: Stage, seed: int) -> tuple[Configuration, ...]:
    if not isinstance(stage, Bench):
        raise UsageError(NO_PLANS)
    what_if = WhatIfFeatures(stage.target, stage.database, stage.workload, stage.space)
    ranker = Ranker(adapter, what_if.names)

    def ratio(configuration: Configuration) -> float:
        return ranker.ratio(stage.profile, what_if(configuration))

    found = surrogate_search(ratio, stage.space, seed, stage.busy)
    return tuple(found[:MODEL_PROPOSALS])


_FILES = {
    "model": (MEASUREMENTS_FILE,),
    "nearest": (TRAINING_SET_FILE,),
    "constant": (TRAINING_SET_FILE, MEASUREMENTS_FILE),
    "surrogate": (MEASUREMENTS_FILE,),
}
"""What each source reads of an adapter's folder, the model's weights aside."""

_WAYS: Mapping[str, Callable[[Path, Stage, int], tuple[Configuration, ...]]] = {
    "nearest": _nearest,
    "constant": _constant,
    "surrogate": _surrogate,
}
